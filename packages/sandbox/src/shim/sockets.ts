import { closeSync, existsSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { type Dial, bindAddress, dial, type PodView, proxyHeader } from './addresses.js';
import { replace } from './replace.js';
import type { CaptureRules } from './rules.js';
import type { ShimSettings } from './settings.js';

interface SockName {
  address?: string;
  family?: string;
  port?: number;
}

interface ConnectRequest {
  oncomplete?: (this: ConnectRequest, status: number, ...rest: unknown[]) => unknown;
}

/** What `net`, `tls`, `http`, `http2` and `cluster` all end up with: libuv's TCP handle. */
interface TcpHandle {
  bind(address: string, port: number): number;
  bind6(address: string, port: number, flags: number): number;
  connect(request: ConnectRequest, address: string, port: number): number;
  connect6(request: ConnectRequest, address: string, port: number): number;
  listen(backlog: number): number;
  getsockname(out: SockName): number;
  getpeername(out: SockName): number;
  writeBuffer(request: object, data: Uint8Array): number;
  close(callback?: () => void): void;
}

interface UdpHandle {
  bind(address: string, port: number, flags: number): number;
  bind6(address: string, port: number, flags: number): number;
  connect(address: string, port: number): number;
  send(request: object, list: unknown, length: number, ...rest: unknown[]): number;
}

interface Bindings {
  tcp_wrap: { TCP: { prototype: TcpHandle } };
  udp_wrap: { UDP: { prototype: UdpHandle } };
  stream_wrap: { WriteWrap: new () => { oncomplete?: () => void } };
}

/**
 * `process.binding` is the one door to the handles. Everything above them differs from release to release and has many
 * entrances; the handles' few methods have been the same for ten years and see every address after it was resolved.
 *
 * Its deprecation (DEP0111) is told only to programs run with `--pending-deprecation`, which are to hear of their own
 * uses, not of ours. Where a program has forbidden it (`--permission`), this throws.
 */
function binding<K extends keyof Bindings>(name: K): Bindings[K] {
  const { binding: load } = process as NodeJS.Process & { binding(name: K): Bindings[K] };
  const own = Object.getOwnPropertyDescriptor(process, 'noDeprecation');
  try {
    process.noDeprecation = true;
    return load.call(process, name);
  } finally {
    if (own) Object.defineProperty(process, 'noDeprecation', own);
    else delete process.noDeprecation;
  }
}

type Network = NonNullable<ShimSettings['network']>;

export function patchSockets(network: Network): void {
  const ports = new PortNotes(network.captureDir);
  const pod = podView(network, ports);
  // All or nothing: a program that listens in its pod but connects from the machine would be the harder to understand.
  const { TCP } = binding('tcp_wrap');
  const { UDP } = binding('udp_wrap');
  const { WriteWrap } = binding('stream_wrap');
  patchBind(TCP.prototype, pod);
  patchListen(TCP.prototype, network, pod, ports);
  patchConnect(TCP.prototype, pod, WriteWrap);
  patchUdp(UDP.prototype, network, ports);
}

/** Rules are read when first needed: `istio-init` has run before any program that it should capture starts. */
function podView(network: Network, ports: PortNotes): PodView {
  let rules: CaptureRules | undefined;
  let read = false;
  return {
    podIP: network.podIP,
    localIP: network.localIP,
    onlyLocal: (port) => ports.has('local', String(port)),
    get rules() {
      if (!read) {
        read = true;
        try {
          rules = JSON.parse(readFileSync(`${network.captureDir}/rules.json`, 'utf8')) as CaptureRules;
        } catch {
          // Not captured.
        }
      }
      return rules;
    },
  };
}

/** Empty files named after ports, by which the pod's programs, its proxy and the agent know who listens where. */
class PortNotes {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  has(kind: string, name: string): boolean {
    return existsSync(`${this.#dir}/${kind}/${name}`);
  }

  add(kind: string, name: string): void {
    try {
      closeSync(openSync(`${this.#dir}/${kind}/${name}`, 'w'));
    } catch {
      // The directory went with the pod.
    }
  }

  remove(kind: string, name: string): void {
    try {
      unlinkSync(`${this.#dir}/${kind}/${name}`);
    } catch {
      // Was not there.
    }
  }
}

/** Handles that have chosen an address of their own before they connect. */
const bound = new WeakSet<object>();

function patchBind(proto: TcpHandle, pod: PodView): void {
  const { bind } = proto;
  replace(
    proto,
    'bind',
    (original) =>
      function (this: TcpHandle, address, port) {
        bound.add(this);
        return original.call(this, bindAddress(pod, address, port) ?? address, port);
      },
  );
  replace(
    proto,
    'bind6',
    (original) =>
      function (this: TcpHandle, address, port, flags) {
        bound.add(this);
        const instead = bindAddress(pod, address, port);
        return instead === undefined ? original.call(this, address, port, flags) : bind.call(this, instead, port);
      },
  );
}

function patchListen(proto: TcpHandle, network: Network, pod: PodView, ports: PortNotes): void {
  replace(
    proto,
    'listen',
    (original) =>
      function (this: TcpHandle, backlog) {
        const status = original.call(this, backlog);
        const name: SockName = {};
        if (status !== 0 || this.getsockname(name) !== 0 || name.port === undefined) return status;
        const port = String(name.port);
        if (name.address === network.localIP) {
          const kind = pod.rules ? 'inbound' : 'local';
          ports.add(kind, port);
          noteClose(this, () => ports.remove(kind, port));
        } else if (name.address === network.podIP) {
          ports.remove('local', port);
        } else {
          return status;
        }
        ports.add('listening', port);
        return status;
      },
  );
}

function noteClose(handle: TcpHandle, fn: () => void): void {
  const { close } = handle;
  handle.close = function (this: TcpHandle, ...args) {
    fn();
    return close.apply(this, args);
  };
}

function patchConnect(proto: TcpHandle, pod: PodView, WriteWrap: Bindings['stream_wrap']['WriteWrap']): void {
  const { bind, connect } = proto;
  const dialled = (original: TcpHandle['connect']) =>
    function (this: TcpHandle, request: ConnectRequest, address: string, port: number): number {
      const plan = dial(pod, address, port);
      if (!plan) return original.call(this, request, address, port);
      if (plan.source !== undefined && !bound.has(this)) bind.call(this, plan.source, 0);
      if (plan.original) announce(this, request, plan, WriteWrap);
      return connect.call(this, request, plan.address, plan.port);
    };
  replace(proto, 'connect', dialled);
  replace(proto, 'connect6', dialled);
}

/** Once connected, before anybody else can write, tells the proxy where this was meant to go. */
function announce(
  handle: TcpHandle,
  request: ConnectRequest,
  plan: Dial,
  WriteWrap: Bindings['stream_wrap']['WriteWrap'],
): void {
  const complete = request.oncomplete;
  const target = plan.original!;
  request.oncomplete = function (status, ...rest) {
    if (status === 0) {
      const name: SockName = {};
      handle.getsockname(name);
      const write = new WriteWrap();
      write.oncomplete = () => undefined;
      handle.writeBuffer(write, proxyHeader({ address: plan.source!, port: name.port ?? 0 }, target));
      // As with a REDIRECT, the program sees the peer that it asked for.
      handle.getpeername = (out) => {
        Object.assign(out, { ...target, family: target.address.includes(':') ? 'IPv6' : 'IPv4' });
        return 0;
      };
    }
    return complete?.call(this, status, ...rest);
  };
}

/** Datagrams: servers take the pod's address, and localhost stays within the pod. */
function patchUdp(proto: UdpHandle, network: Network, ports: PortNotes): void {
  const local = new Set(['127.0.0.1', network.localIP]);
  const target = (address: unknown, port: unknown): unknown => {
    if (typeof address !== 'string' || (!local.has(address) && address !== '0.0.0.0')) return address;
    return ports.has('local', `udp-${String(port)}`) ? network.localIP : network.podIP;
  };
  replace(
    proto,
    'bind',
    (original) =>
      function (this: UdpHandle, address, port, flags) {
        if (local.has(address)) {
          if (port !== 0) ports.add('local', `udp-${port}`);
          return original.call(this, network.localIP, port, flags);
        }
        // Port 0 on the wildcard is a client, which may send to the outside as well.
        return original.call(this, address === '0.0.0.0' && port !== 0 ? network.podIP : address, port, flags);
      },
  );
  replace(
    proto,
    'connect',
    (original) =>
      function (this: UdpHandle, address, port) {
        return original.call(this, String(target(address, port)), port);
      },
  );
  replace(
    proto,
    'send',
    (original) =>
      function (this: UdpHandle, request, list, length, ...rest) {
        // Unconnected: (…, port, address, hasCallback); connected: (…, hasCallback).
        if (rest.length >= 3) rest[1] = target(rest[1], rest[0]);
        return original.call(this, request, list, length, ...rest);
      },
  );
}
