import 'reflect-metadata';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import * as x509 from '@peculiar/x509';
import test, { type ExecutionContext } from 'ava';
import { httpsTransport, KubeconfigError, loadKubeconfig, TransportError } from './index.js';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

type KeyPair = Awaited<ReturnType<typeof newKeys>>;
const newKeys = () => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

async function certificate(subject: string, issuer?: { name: string; keys: KeyPair }) {
  const keys = await newKeys();
  const cert = await x509.X509CertificateGenerator.create({
    subject: `CN=${subject}`,
    issuer: `CN=${issuer?.name ?? subject}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: algorithm,
    extensions: issuer
      ? [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])]
      : [new x509.BasicConstraintsExtension(true)],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/(.{64})/g, '$1\n')}\n-----END PRIVATE KEY-----\n`;
  return { keys, name: subject, cert: cert.toString('pem'), key };
}

async function setUp(t: ExecutionContext) {
  const ca = await certificate('ca');
  const [serving, admin] = await Promise.all([certificate('server', ca), certificate('admin', ca)]);
  const options = { cert: serving.cert, key: serving.key, ca: ca.cert, requestCert: true, rejectUnauthorized: false };
  const server = createServer(options, (request, response) => {
    const peer = (request.socket as TLSSocket).getPeerCertificate();
    response.end(JSON.stringify({ user: peer.subject?.CN ?? 'anonymous' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const dir = await mkdtemp(join(tmpdir(), 'flotilla-kubeconfig-'));
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    await rm(dir, { recursive: true });
  });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const base64 = (pem: string): string => Buffer.from(pem).toString('base64');
  await writeFile(join(dir, 'ca.pem'), ca.cert);
  await writeFile(
    join(dir, 'config'),
    `
apiVersion: v1
kind: Config
current-context: full
contexts:
- { name: full, context: { cluster: c, user: admin, namespace: shop } }
- { name: anonymous, context: { cluster: c, user: nobody } }
- { name: blind, context: { cluster: unknown-ca, user: nobody } }
- { name: plugin, context: { cluster: c, user: plugin } }
clusters:
- { name: c, cluster: { server: "${url}", certificate-authority: ca.pem } }
- { name: unknown-ca, cluster: { server: "${url}" } }
users:
- { name: admin, user: { client-certificate-data: ${base64(admin.cert)}, client-key-data: ${base64(admin.key)} } }
- { name: plugin, user: { exec: { command: x } } }
`,
  );
  return join(dir, 'config');
}

const get = { method: 'GET', path: '/api' } as const;

test('a kubeconfig with certificates in it and beside it', async (t) => {
  const path = await setUp(t);
  const ask = async (context?: string): Promise<unknown> => {
    const transport = httpsTransport(await loadKubeconfig(path, context));
    try {
      return JSON.parse(Buffer.from((await transport.request(get)).body).toString()) as unknown;
    } finally {
      await transport.close();
    }
  };
  t.is((await loadKubeconfig(path)).namespace, 'shop');
  t.deepEqual(await ask(), { user: 'admin' });
  t.deepEqual(await ask('anonymous'), { user: 'anonymous' });
  await t.throwsAsync(ask('blind'), { instanceOf: TransportError, code: 'unavailable' });
  await t.throwsAsync(ask('plugin'), { instanceOf: KubeconfigError, message: /exec is not supported/ });
  await t.throwsAsync(ask('missing'), { instanceOf: KubeconfigError });
  await t.throwsAsync(loadKubeconfig(`${path}-not`), { instanceOf: KubeconfigError });
});
