import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Answer, DecodedPacket, Packet } from 'dns-packet';
import * as dns from 'dns-packet';
import type { Logger } from '@flotilla/base';
import { answer, type DnsRecord, type ZoneData } from './zone.js';

export interface DnsServerOptions {
  address: string;
  port: number;
  /** E.g. `cluster.local`. */
  domain: string;
  data: ZoneData;
  logger: Logger;
  /** `ip` or `ip:port` of the servers for names that are not ours; the machine's own if absent. */
  upstreams?: readonly string[];
}

/** Seconds; short, as endpoints come and go (CoreDNS uses 5 for Kubernetes' names as well). */
const ttl = 5;
const rcode = { noError: 0, serverFailure: 2, nxDomain: 3, refused: 5 } as const;
const recursionAvailable = 128;
/** Set on answers about our own zone. */
const authoritative = 1024;
const truncated = 512;

export interface DnsServer {
  /** `ip:port` for resolvers. */
  readonly address: string;
  stop(): Promise<void>;
}

/** The node's DNS server, over UDP and TCP. */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const resolver = new Responder(options);
  const udp = createSocket('udp4');
  udp.on('message', (message, peer) => void resolver.serveUdp(udp, message, peer));
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject);
    udp.bind({ port: options.port, address: options.address }, resolve);
  });
  const { port } = udp.address();
  udp.removeAllListeners('error').on('error', (error) => options.logger.warn('dns socket', { error: error.message }));
  let tcp: Server;
  try {
    tcp = await listenTcp(options.address, port, (socket) => resolver.serveTcp(socket));
  } catch (error) {
    udp.close();
    throw error;
  }
  return {
    address: `${options.address}:${port}`,
    stop: async () => {
      resolver.stop();
      udp.close();
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
    },
  };
}

function listenTcp(host: string, port: number, serve: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(serve);
    server.once('error', reject);
    server.listen({ host, port }, () => resolve(server));
  });
}

class Responder {
  readonly #options: DnsServerOptions;
  readonly #connections = new Set<Socket>();

  constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  stop(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  async serveUdp(udp: UdpSocket, message: Buffer, peer: RemoteInfo): Promise<void> {
    const reply = await this.#reply(message);
    if (!reply) return;
    try {
      udp.send(reply.udp, peer.port, peer.address);
    } catch {
      // Closed meanwhile.
    }
  }

  serveTcp(socket: Socket): void {
    this.#connections.add(socket);
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#connections.delete(socket));
    let pending = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      for (let length = 0; pending.length >= 2 && pending.length >= 2 + (length = pending.readUInt16BE(0)); ) {
        const message = pending.subarray(2, 2 + length);
        pending = pending.subarray(2 + length);
        void this.#reply(message).then((reply) => {
          if (!reply || socket.destroyed) return;
          const head = Buffer.allocUnsafe(2);
          head.writeUInt16BE(reply.full.length);
          socket.write(Buffer.concat([head, reply.full]));
        });
      }
    });
  }

  /** Never rejects: what cannot be understood is dropped, what cannot be answered is refused. */
  async #reply(message: Buffer): Promise<{ udp: Buffer; full: Buffer } | undefined> {
    let query: DecodedPacket;
    try {
      query = dns.decode(message);
    } catch {
      return undefined;
    }
    const [question] = query.questions ?? [];
    if (query.type === 'response' || !question) return undefined;
    try {
      const local = this.#local(query, question.name, question.type);
      if (local) return { full: dns.encode(local), udp: fitUdp(local, query) };
      const forwarded = await this.#forward(message);
      if (forwarded) return { full: forwarded, udp: forwarded };
    } catch (error) {
      this.#options.logger.warn('dns query failed', { name: question.name, error: String(error) });
    }
    const refusal = dns.encode(respond(query, [], [], rcode.refused));
    return { full: refusal, udp: refusal };
  }

  #local(query: DecodedPacket, rawName: string, type: string): Packet | undefined {
    const name = rawName.toLowerCase().replace(/\.$/, '');
    const found = this.#chase(name, type, 0);
    if (found === 'foreign') return undefined;
    if (found === 'nxdomain') return respond(query, [], [], rcode.nxDomain);
    // Resolvers compare the question's name letter by letter (0x20 randomisation).
    const named = found.answers.map((record) => (record.name === name ? { ...record, name: rawName } : record));
    return respond(query, named, found.additionals, rcode.noError);
  }

  #chase(
    name: string,
    type: string,
    depth: number,
  ): 'foreign' | 'nxdomain' | { answers: DnsRecord[]; additionals: DnsRecord[] } {
    const { data, domain } = this.#options;
    const found = answer(data, domain, name, type);
    if (found.kind !== 'records') return found.kind;
    const { answers, additionals, alias } = found;
    if (alias === undefined || type === 'CNAME' || depth >= 8) return { answers, additionals };
    const target = this.#chase(alias, type, depth + 1);
    if (typeof target === 'string') return { answers, additionals };
    return { answers: [...answers, ...target.answers], additionals: [...additionals, ...target.additionals] };
  }

  async #forward(message: Buffer): Promise<Buffer | undefined> {
    const upstreams = this.#options.upstreams ?? machineResolvers();
    for (const upstream of upstreams.slice(0, 2)) {
      const reply = await askUpstream(upstream, message);
      if (reply) return reply;
    }
    return undefined;
  }
}

function respond(query: DecodedPacket, answers: DnsRecord[], additionals: DnsRecord[], code: number): Packet {
  const withTtl = (record: DnsRecord): Answer => ({ ...record, ttl, class: 'IN' });
  const recursionDesired = (query.flags ?? 0) & 256;
  return {
    type: 'response',
    ...(query.id === undefined ? {} : { id: query.id }),
    flags: recursionDesired | recursionAvailable | (code === rcode.refused ? 0 : authoritative) | code,
    questions: query.questions ?? [],
    answers: answers.map(withTtl),
    additionals: additionals.map(withTtl),
  };
}

/** What does not fit the datagram that the client allows (512 bytes, more by EDNS) is cut, and TCP asked for. */
function fitUdp(reply: Packet, query: DecodedPacket): Buffer {
  const opt = query.additionals?.find((record) => record.type === 'OPT');
  const limit = Math.max(512, opt?.type === 'OPT' ? opt.udpPayloadSize : 512);
  const full = dns.encode(reply);
  if (full.length <= limit) return full;
  const short = dns.encode({ ...reply, additionals: [] });
  if (short.length <= limit) return short;
  return dns.encode({ ...reply, flags: (reply.flags ?? 0) | truncated, answers: [], additionals: [] });
}

function machineResolvers(): string[] {
  try {
    const text = readFileSync('/etc/resolv.conf', 'utf8');
    return [...text.matchAll(/^nameserver\s+(\d+\.\d+\.\d+\.\d+)/gm)].map((match) => match[1]!);
  } catch {
    return [];
  }
}

/** Passes a query on as it is; undefined if no answer came within two seconds. */
function askUpstream(upstream: string, message: Buffer): Promise<Buffer | undefined> {
  const [host = '', port = '53'] = upstream.split(':');
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const finish = (reply?: Buffer): void => {
      clearTimeout(timer);
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(finish, 2000);
    socket.once('error', () => finish());
    socket.on('message', (reply) => {
      if (reply.length >= 12 && reply.readUInt16BE(0) === message.readUInt16BE(0)) finish(reply);
    });
    socket.connect(Number(port), host, () => socket.send(message, (error) => error && finish()));
  });
}
