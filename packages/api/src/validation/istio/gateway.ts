import { quote } from '../../errors.js';
import type * as istio from '../../gen/istio.js';
import { type Complaints, gatewayHost, ipAddress, isDnsLabel, port as portNumber } from './primitives.js';

const tlsProtocols = new Set(['HTTPS', 'TLS']);
const httpProtocols = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB']);
const otherProtocols = new Set(['TCP', 'MONGO', 'REDIS', 'MYSQL', 'UDP', 'HBONE', 'HTTP_PROXY']);

/** What Istio's webhook says of a Gateway. */
export function gatewayComplaints(gateway: istio.Gateway): Complaints {
  const name = gateway.metadata.name ?? '';
  const servers = gateway.spec?.servers ?? [];
  const complaints = isDnsLabel(name) ? [] : [`invalid gateway name: ${quote(name)}`];
  if (servers.length === 0) complaints.push('gateway must have at least one server');
  for (const server of servers) complaints.push(...serverComplaints(server));
  const names = new Set<string>();
  for (const { port } of servers) {
    if (!port?.name) continue;
    if (names.has(port.name)) {
      complaints.push(`port names in servers must be unique: duplicate name ${port.name}`);
    }
    names.add(port.name);
  }
  return complaints;
}

function serverComplaints(server: istio.Server): Complaints {
  const { hosts, port, bind = '', tls } = server;
  const complaints = hosts.length === 0 ? ['server config must contain at least one host'] : hosts.flatMap(gatewayHost);
  const ofPort = portComplaints(port, bind);
  complaints.push(...ofPort, ...bindComplaints(port, bind), ...tlsComplaints(tls));
  if (!port || ofPort.length > 0) return complaints;
  const protocol = port.protocol.toUpperCase();
  if (tlsProtocols.has(protocol)) {
    if (!tls) complaints.push('server must have TLS settings for HTTPS/TLS protocols');
  } else if (tls) {
    if (!httpProtocols.has(protocol)) complaints.push('server cannot have TLS settings for non HTTPS/TLS ports');
    else if (!isPassThrough(tls) || tls.caCertificates || tls.privateKey || tls.serverCertificate) {
      complaints.push('server cannot have TLS settings for plain text HTTP ports');
    }
  }
  return complaints;
}

/** The mode's default; a redirect to HTTPS needs no other. */
function isPassThrough({ mode = 'PASSTHROUGH' }: istio.ServerTLSSettings): boolean {
  return mode === 'PASSTHROUGH' || mode === 'AUTO_PASSTHROUGH';
}

function portComplaints(port: istio.Port | undefined, bind: string): Complaints {
  if (!port) return ['port is required'];
  const protocol = (port.protocol ?? '').toUpperCase();
  const known = tlsProtocols.has(protocol) || httpProtocols.has(protocol) || otherProtocols.has(protocol);
  const complaints: Complaints = [];
  if (!known) {
    const supported = 'HTTP, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP';
    complaints.push(`invalid protocol ${quote(port.protocol ?? '')}, supported protocols are ${supported}`);
  }
  const number = port.number ?? 0;
  if (number > 0 || !bind.startsWith('unix://')) complaints.push(...portNumber(number));
  if ((port.targetPort ?? 0) > 0) complaints.push('targetPort has no impact on Gateways');
  if (!port.name) complaints.push(`port name must be set: ${JSON.stringify(port)}`);
  return complaints;
}

function bindComplaints(port: istio.Port | undefined, bind: string): Complaints {
  if (bind === '') return [];
  if (!bind.startsWith('unix://')) return ipAddress(bind);
  const path = bind.slice('unix://'.length);
  const complaints: Complaints = [];
  if (path === '') complaints.push('unix address must not be empty');
  else if (!path.startsWith('@') && (!path.startsWith('/') || path.endsWith('/'))) {
    complaints.push(`${path} is not an absolute path to a file`);
  }
  if (port?.number) complaints.push(`port number must be 0 for unix domain socket: ${JSON.stringify(port)}`);
  return complaints;
}

function tlsComplaints(tls: istio.ServerTLSSettings | undefined): Complaints {
  if (!tls) return [];
  const { mode, serverCertificate, privateKey, caCertificates, credentialName } = tls;
  if (mode === 'ISTIO_MUTUAL') {
    const extra = {
      'server certificate': serverCertificate,
      'private key': privateKey,
      'CA bundle': caCertificates,
      credentialName,
    };
    return Object.entries(extra)
      .filter(([, value]) => value)
      .map(([what]) => `ISTIO_MUTUAL TLS cannot have associated ${what}`);
  }
  const mutual = mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL';
  if ((mode !== 'SIMPLE' && !mutual) || credentialName || tls.credentialNames?.length || tls.tlsCertificates?.length) {
    return [];
  }
  const kind = mutual ? 'MUTUAL' : 'SIMPLE';
  const complaints: Complaints = [];
  if (!serverCertificate) complaints.push(`${kind} TLS requires a server certificate`);
  if (!privateKey) complaints.push(`${kind} TLS requires a private key`);
  if (mutual && !caCertificates) complaints.push('MUTUAL TLS requires a client CA bundle');
  return complaints;
}
