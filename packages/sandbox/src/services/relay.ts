import { connect, type Socket } from 'node:net';
import type { Backend } from './wanted.js';

/** How long one backend may take to accept before the next is tried, milliseconds. */
const connectTimeout = 2000;

/**
 * Joins `client` to the first of `candidates` that accepts. The backend sees the client's own address where it is one of
 * 127.0.0.0/8, as it would behind kube-proxy. Half-closed connections stay so. With no backend left the client is reset.
 */
export function relay(client: Socket, candidates: readonly Backend[], onChosen: (backend: Backend) => void): void {
  const [backend, ...others] = candidates;
  if (!backend) {
    client.resetAndDestroy();
    return;
  }
  const from = client.remoteAddress;
  const upstream = connect({
    host: backend.ip,
    port: backend.port,
    allowHalfOpen: true,
    noDelay: true,
    ...(from?.startsWith('127.') && backend.ip.startsWith('127.') ? { localAddress: from } : {}),
  });
  const giveUp = (): void => void upstream.destroy();
  const timer = setTimeout(giveUp, connectTimeout);
  const onClientGone = (): void => void upstream.destroy();
  client.once('close', onClientGone);
  client.on('error', ignore);
  upstream.on('error', ignore);
  upstream.once('close', () => {
    clearTimeout(timer);
    client.off('close', onClientGone);
    if (!joined && !client.destroyed) relay(client, others, onChosen);
  });
  let joined = false;
  upstream.once('connect', () => {
    clearTimeout(timer);
    joined = true;
    onChosen(backend);
    join(client, upstream);
  });
}

function join(client: Socket, upstream: Socket): void {
  client.pipe(upstream);
  upstream.pipe(client);
  const end = (one: Socket, other: Socket) => (): void => {
    if (other.destroyed) return;
    // A reset on one side is a reset on the other; an orderly end has already been passed on by pipe.
    if (one.errored) other.resetAndDestroy();
    else if (!one.readableEnded) other.destroy();
  };
  client.once('close', end(client, upstream));
  upstream.once('close', end(upstream, client));
}

function ignore(): void {
  // 'close' follows every error and is where we act.
}
