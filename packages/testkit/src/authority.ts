import { webcrypto } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const day = 24 * 60 * 60 * 1000;

export interface CertificatePair {
  cert: string;
  key: string;
}

async function keys(): Promise<{ pair: webcrypto.CryptoKeyPair; pem: string }> {
  const pair = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', pair.privateKey)).toString('base64');
  return {
    pair,
    pem: `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`,
  };
}

/** A certificate authority of a test's own; its certificates are good for a day. */
export class TestAuthority {
  readonly cert: string;
  readonly #pair: webcrypto.CryptoKeyPair;
  readonly #name: string;

  private constructor(cert: string, pair: webcrypto.CryptoKeyPair, name: string) {
    this.cert = cert;
    this.#pair = pair;
    this.#name = name;
  }

  static async create(name = 'CN=test-ca'): Promise<TestAuthority> {
    const { pair } = await keys();
    const cert = await x509.X509CertificateGenerator.createSelfSigned({
      name,
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + day),
      keys: pair,
      signingAlgorithm: algorithm,
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    });
    return new TestAuthority(cert.toString('pem'), pair, name);
  }

  /** E.g. `CN=bob,O=system:masters`; `ip` for a server. */
  async issue(subject: string, ip?: string): Promise<CertificatePair> {
    const { pair, pem } = await keys();
    const cert = await x509.X509CertificateGenerator.create({
      subject,
      issuer: this.#name,
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + day),
      signingKey: this.#pair.privateKey,
      publicKey: pair.publicKey,
      signingAlgorithm: algorithm,
      extensions: ip ? [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: ip }])] : [],
    });
    return { cert: cert.toString('pem'), key: pem };
  }
}
