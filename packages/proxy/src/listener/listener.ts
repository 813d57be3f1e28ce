import type { Socket } from 'node:net';
import type { Clock, Logger } from '@flotilla/base';
import { type ConnectionFacts, newStreamInfo } from '@flotilla/traffic';
import { type Endpoint, inspect, type Inspected } from '@flotilla/wire';
import type { ChainSpec, ListenerSpec } from '../config/listener-config.js';
import type { Connection } from '../http/connection.js';
import { type HttpEnvironment, HttpManager } from '../http/manager.js';
import { type Counter, type Gauge, Scope } from '../stats/registry.js';
import { serveTcp } from '../tcp-proxy.js';

export interface ListenerEnvironment extends HttpEnvironment {
  clock: Clock;
  logger: Logger;
  /** The listener that a connection to this address belongs to, for `use_original_dst`. */
  byAddress(address: string, port: number): ActiveListener | undefined;
  /** The whole proxy is going away. */
  stopping(): boolean;
}

/** A listener at work. Sockets are opened elsewhere: several may feed one listener, and it may have none of its own. */
export class ActiveListener {
  readonly spec: ListenerSpec;
  readonly #environment: ListenerEnvironment;
  readonly #managers = new Map<ChainSpec, HttpManager>();
  readonly #sockets = new Set<Socket>();
  readonly #cxTotal: Counter;
  readonly #cxActive: Gauge;
  readonly #noChain: Counter;
  #retired = false;

  constructor(spec: ListenerSpec, environment: ListenerEnvironment) {
    this.spec = spec;
    this.#environment = environment;
    const scope = new Scope(environment.registry, 'listener', 'listener_address', `${spec.address}_${spec.port}`);
    this.#cxTotal = scope.counter('downstream_cx_total');
    this.#cxActive = scope.gauge('downstream_cx_active');
    this.#noChain = scope.counter('no_filter_chain_match');
  }

  /** Connections that are open now. */
  get active(): number {
    return this.#sockets.size;
  }

  /** Takes a paused socket. `redirected` is set when another listener has handed it over. */
  accept(socket: Socket, redirected?: Handover): void {
    this.#sockets.add(socket);
    this.#cxTotal.inc();
    this.#cxActive.inc();
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#cxActive.dec();
    });
    void this.#serve(socket, redirected);
  }

  async #serve(socket: Socket, handover: Handover | undefined): Promise<void> {
    const peer = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    const before = handover ?? {
      local: { address: socket.localAddress ?? '', port: socket.localPort ?? 0 },
      remote: peer,
      direct: peer,
    };
    const found = await inspect(socket, this.spec.inspect(before.local.port), this.#environment.clock);
    if (!found || socket.destroyed) return void socket.destroy();
    const local = found.destination ?? before.local;
    const remote = found.source ?? before.remote;
    if (this.spec.useOriginalDst) {
      const other = this.#environment.byAddress(local.address, local.port);
      if (other && other !== this)
        return this.#handOver(socket, other, { local, remote, direct: before.direct }, found);
    }
    this.#dispatch(socket, { local, remote, direct: before.direct }, found);
  }

  #handOver(socket: Socket, other: ActiveListener, handover: Handover, found: Inspected): void {
    if (found.ended) return other.#dispatch(socket, handover, found);
    this.#sockets.delete(socket);
    this.#cxActive.dec();
    // The socket's own `close` counts for the other listener from here on; ours has been counted down.
    socket.once('close', () => this.#cxActive.inc());
    other.accept(socket, handover);
  }

  #dispatch(socket: Socket, { local, remote, direct }: Handover, found: Inspected): void {
    const facts: ConnectionFacts = {
      destinationIp: local.address,
      destinationPort: local.port,
      sourceIp: remote.address,
      sourcePort: remote.port,
      directSourceIp: direct.address,
      transportProtocol: found.transportProtocol,
      // HTTP/2 without TLS is carried as plain bytes: our streams speak HTTP/1.
      applicationProtocols: found.applicationProtocols.filter((protocol) => protocol !== 'h2c'),
      ...(found.serverName === undefined ? {} : { serverName: found.serverName }),
    };
    const chain = this.spec.chains.find(facts);
    if (!chain) return this.#reject(socket, local, remote);
    const connection: Connection = {
      local,
      remote,
      direct,
      serverName: found.serverName,
      direction: this.spec.direction,
      draining: () => this.#retired || this.#environment.stopping(),
      requests: 0,
    };
    if (chain.kind === 'close') socket.destroy();
    else if (chain.kind === 'tcp') void serveTcp(socket, connection, chain.tcp, this.#environment, found.ended?.rest);
    else if (found.ended) socket.destroy();
    else this.#manager(chain).accept(socket, connection);
  }

  #manager(chain: ChainSpec & { kind: 'http' }): HttpManager {
    let manager = this.#managers.get(chain);
    if (!manager) {
      manager = new HttpManager(chain.http, this.#environment);
      this.#managers.set(chain, manager);
    }
    return manager;
  }

  #reject(socket: Socket, local: Endpoint, remote: Endpoint): void {
    this.#noChain.inc();
    socket.destroy();
    const info = newStreamInfo(this.#environment.clock.now());
    info.flags.push('NR');
    info.responseCodeDetails = 'filter_chain_not_found';
    info.downstreamLocalAddress = `${local.address}:${local.port}`;
    info.downstreamRemoteAddress = `${remote.address}:${remote.port}`;
    for (const log of this.spec.accessLogs) log(info);
  }

  /** Replaced or removed: connections go on, but HTTP ones end at their next pause. */
  retire(): void {
    this.#retired = true;
    for (const manager of this.#managers.values()) manager.drain();
  }

  /** Ends everything that is still open. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** What is known of a connection when it changes listeners. */
interface Handover {
  local: Endpoint;
  remote: Endpoint;
  direct: Endpoint;
}
