import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ensurePki } from './pki.js';

test('the certificates serve mutual TLS, name the administrator, and are made once', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-pki-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const files = await ensurePki(dir, { dns: ['localhost'], ips: ['127.0.0.1'] });
  const pem = (path: string): string => readFileSync(path, 'utf8');
  const ca = new X509Certificate(pem(files.caCert));
  const admin = new X509Certificate(pem(files.adminCert));
  t.true(ca.ca);
  t.true(admin.verify(ca.publicKey));
  t.regex(admin.subject, /O=system:masters/);
  t.regex(admin.subject, /CN=flotilla-admin/);
  t.is(statSync(files.adminKey).mode & 0o077, 0, 'keys are for the owner only');

  const server = createServer({
    key: pem(files.serverKey),
    cert: pem(files.serverCert),
    ca: pem(files.caCert),
    requestCert: true,
    rejectUnauthorized: true,
  });
  t.teardown(() => server.close());
  server.on('secureConnection', (socket) => socket.end(String(socket.getPeerCertificate().subject.CN)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    ca: pem(files.caCert),
    cert: pem(files.adminCert),
    key: pem(files.adminKey),
  });
  const [answer] = (await once(client, 'data')) as [Buffer];
  t.is(answer.toString(), 'flotilla-admin');

  const before = pem(files.adminCert);
  await ensurePki(dir, { dns: [], ips: [] });
  t.is(pem(files.adminCert), before);
});
