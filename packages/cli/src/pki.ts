import { webcrypto } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomically } from './cluster.js';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const day = 24 * 60 * 60 * 1000;

export interface Pki {
  caCert: string;
  caKey: string;
  serverCert: string;
  serverKey: string;
  adminCert: string;
  adminKey: string;
}

/** Paths of the PEM files. */
export function pkiFiles(dir: string): Pki {
  return {
    caCert: join(dir, 'ca.crt'),
    caKey: join(dir, 'ca.key'),
    serverCert: join(dir, 'apiserver.crt'),
    serverKey: join(dir, 'apiserver.key'),
    adminCert: join(dir, 'admin.crt'),
    adminKey: join(dir, 'admin.key'),
  };
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;

/**
 * Makes the cluster's certificate authority, the API server's certificate and the administrator's client certificate
 * (user `flotilla-admin`, group `system:masters`), unless they are there. Valid for ten years, as a throw-away
 * cluster's should be: nobody renews a laptop's certificates.
 */
export async function ensurePki(dir: string, names: { dns: string[]; ips: string[] }): Promise<Pki> {
  const files = pkiFiles(dir);
  if (Object.values(files).every((file) => existsSync(file))) return files;
  // Loaded only for a cluster's first start: it costs 100 ms.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const notBefore = new Date(Date.now() - day);
  const notAfter = new Date(Date.now() + 3650 * day);
  const [ca, server, admin] = await Promise.all([newKeys(), newKeys(), newKeys()]);
  const subject = 'CN=flotilla-ca';
  const caCert = await x509.X509CertificateGenerator.createSelfSigned({
    name: subject,
    notBefore,
    notAfter,
    keys: ca,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(ca.publicKey),
    ],
  });
  const issue = async (name: string, keys: webcrypto.CryptoKeyPair, usage: string, alt: string[][]) =>
    x509.X509CertificateGenerator.create({
      subject: name,
      issuer: subject,
      notBefore,
      notAfter,
      publicKey: keys.publicKey,
      signingKey: ca.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        new x509.SubjectAlternativeNameExtension(
          alt.map(([type, value]) => ({ type: type as 'dns' | 'ip', value: value as string })),
        ),
      ].slice(0, alt.length > 0 ? 4 : 3),
    });
  const alt = [...names.dns.map((name) => ['dns', name]), ...names.ips.map((ip) => ['ip', ip])];
  const serverCert = await issue('CN=kube-apiserver', server, '1.3.6.1.5.5.7.3.1', alt);
  const adminCert = await issue('O=system:masters, CN=flotilla-admin', admin, '1.3.6.1.5.5.7.3.2', []);
  writeAtomically(files.caKey, await privatePem(ca.privateKey));
  writeAtomically(files.caCert, `${caCert.toString('pem')}\n`, 0o644);
  writeAtomically(files.serverKey, await privatePem(server.privateKey));
  writeAtomically(files.serverCert, `${serverCert.toString('pem')}\n`, 0o644);
  writeAtomically(files.adminKey, await privatePem(admin.privateKey));
  writeAtomically(files.adminCert, `${adminCert.toString('pem')}\n`, 0o644);
  return files;
}

export function readPem(path: string): string {
  return readFileSync(path, 'utf8');
}
