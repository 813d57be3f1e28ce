import { connect, type Socket } from 'node:net';
import { type Clock, errorCode, NamedError } from '@flotilla/base';
import type { ResetReason } from '@flotilla/traffic';

export interface DialOptions {
  address: string;
  port: number;
  /** The connection's own address; the system chooses if absent. */
  localAddress?: string;
  /** Milliseconds. */
  timeout: number;
  signal?: AbortSignal;
}

/** No connection. `reason` is Envoy's reset reason, `transport` the cause as Envoy words it. */
export class DialError extends NamedError {
  readonly reason: ResetReason;
  readonly transport: string;

  constructor(reason: ResetReason, transport: string, cause?: unknown) {
    super('DIAL_FAILED', `${reason}${transport ? `: ${transport}` : ''}`, { cause });
    this.reason = reason;
    this.transport = transport;
  }
}

/** Errors of our own side: no more ports, descriptors or such an address. */
const localErrors = new Set([
  'EADDRNOTAVAIL',
  'EADDRINUSE',
  'EMFILE',
  'ENFILE',
  'EACCES',
  'EPERM',
  'EINVAL',
  'ENOBUFS',
]);

const words: Record<string, string> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ETIMEDOUT: 'Connection timed out',
};

/** A connected socket, paused, that stays half-open when the peer ends. Rejects with DialError, or the signal's reason. */
export function dial(options: DialOptions, clock: Clock): Promise<Socket> {
  const { address, port, localAddress, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const socket = connect({
      host: address,
      port,
      ...(localAddress === undefined ? {} : { localAddress }),
      noDelay: true,
      keepAlive: true,
      allowHalfOpen: true,
      autoSelectFamily: false,
    });
    const timer = clock.after(options.timeout, () => fail(new DialError('connection timeout', '')));
    const settle = (): void => {
      timer.cancel();
      socket.off('connect', onConnect).off('error', onError);
      signal?.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown): void => {
      settle();
      // A socket that fails once more while it is being destroyed must not bring the process down.
      socket.on('error', () => {});
      socket.destroy();
      reject(error as Error);
    };
    const onConnect = (): void => {
      settle();
      socket.pause();
      resolve(socket);
    };
    const onError = (error: Error): void => fail(dialError(error));
    const onAbort = (): void => fail(signal!.reason);
    socket.on('connect', onConnect).on('error', onError);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function dialError(error: Error): DialError {
  const code = errorCode(error) ?? '';
  if (localErrors.has(code)) return new DialError('local connection failure', code, error);
  return new DialError('remote connection failure', `delayed connect error: ${words[code] ?? code}`, error);
}
