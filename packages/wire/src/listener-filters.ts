import type { Socket } from 'node:net';
import type { Clock } from '@flotilla/base';
import { parseProxyHeader } from './proxy-protocol.js';
import { sniffHttp, sniffTls } from './sniff.js';

export interface Endpoint {
  address: string;
  port: number;
}

export interface InspectOptions {
  /** Expect a PROXY header; `required` closes the connection without one. */
  proxyProtocol?: 'required' | 'optional';
  tls?: boolean;
  http?: boolean;
  /** Milliseconds for a PROXY header. */
  proxyTimeout: number;
  /** Milliseconds for the first bytes where only the protocol is to be guessed: a server that speaks first waits so long. 0 is for ever. */
  sniffTimeout: number;
  /** What follows when the first bytes do not come in time. */
  onTimeout: 'continue' | 'close';
}

/** What the listener filters found. The bytes they read are back in the socket, or in `rest` if it has ended already. */
export interface Inspected {
  source?: Endpoint;
  destination?: Endpoint;
  transportProtocol: 'raw_buffer' | 'tls';
  serverName?: string;
  applicationProtocols: string[];
  /** The peer has ended its side; `rest` holds what it sent. */
  ended?: { rest: Buffer };
}

/** More than any of the filters reads. */
const maxBytes = 64 * 1024;

/**
 * Runs listener filters on a paused socket, and leaves it paused. Resolves to undefined if the connection is to be closed:
 * a PROXY header that is missing, malformed or late, or a peer that is gone.
 */
export function inspect(socket: Socket, options: InspectOptions, clock: Clock): Promise<Inspected | undefined> {
  const found: Inspected = { transportProtocol: 'raw_buffer', applicationProtocols: [] };
  const state: State = {
    proxy: options.proxyProtocol !== undefined,
    tls: options.tls ?? false,
    http: options.http ?? false,
  };
  if (!state.proxy && !state.tls && !state.http) return Promise.resolve(found);
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0);
    const onTimeout = (): void => {
      const required = state.proxy && options.proxyProtocol === 'required';
      finish(required || options.onTimeout === 'close' ? undefined : found);
    };
    const wait = state.proxy ? options.proxyTimeout : options.sniffTimeout;
    let timer = wait > 0 ? clock.after(wait, onTimeout) : undefined;
    const finish = (result: Inspected | undefined): void => {
      timer?.cancel();
      socket.pause();
      socket.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
      if (result && !result.ended && bytes.length > 0) socket.unshift(bytes);
      resolve(result);
    };
    const onData = (chunk: Buffer): void => {
      const wasProxy = state.proxy;
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const step = advance(state, bytes, found, options);
      if (step === 'invalid') return finish(undefined);
      bytes = bytes.subarray(step);
      if ((!state.proxy && !state.tls && !state.http) || bytes.length > maxBytes) return finish(found);
      if (!wasProxy || state.proxy) return;
      timer?.cancel();
      timer = options.sniffTimeout > 0 ? clock.after(options.sniffTimeout, onTimeout) : undefined;
    };
    const onEnd = (): void => {
      if (state.proxy && options.proxyProtocol === 'required') return finish(undefined);
      found.ended = { rest: bytes };
      finish(found);
    };
    const onGone = (): void => finish(undefined);
    socket.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
    socket.resume();
  });
}

/** Which filters still have something to find out. */
interface State {
  proxy: boolean;
  tls: boolean;
  http: boolean;
}

/** Looks at the bytes so far; returns how many of them are used up, or `invalid`. */
function advance(state: State, bytes: Buffer, found: Inspected, options: InspectOptions): number | 'invalid' {
  let used = 0;
  if (state.proxy) {
    const parsed = parseProxyHeader(bytes);
    if (parsed.is === 'more') return 0;
    if (parsed.is === 'invalid') return 'invalid';
    if (parsed.is === 'none' && options.proxyProtocol === 'required') return 'invalid';
    state.proxy = false;
    if (parsed.is === 'header') {
      used = parsed.header.size;
      if (parsed.header.source) found.source = parsed.header.source;
      if (parsed.header.destination) found.destination = parsed.header.destination;
    }
  }
  const rest = bytes.subarray(used);
  if (rest.length === 0) return used;
  if (state.tls) {
    const tls = sniffTls(rest);
    if (tls.is === 'more') return used;
    state.tls = false;
    if (tls.is === 'tls') {
      found.transportProtocol = 'tls';
      found.applicationProtocols = tls.alpn;
      if (tls.serverName !== undefined) found.serverName = tls.serverName;
      state.http = false;
    }
  }
  if (state.http) {
    const http = sniffHttp(rest);
    if (http.is === 'more') return used;
    state.http = false;
    if (http.is === 'http') found.applicationProtocols = [http.protocol];
  }
  return used;
}
