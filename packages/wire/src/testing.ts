import { connect, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import { listenTcp, type ListenSocket } from './listen.js';

/** Two ends of a real TCP connection; `accepted` is paused as a listener hands it over. */
export async function socketPair(t: ExecutionContext): Promise<{ client: Socket; accepted: Socket }> {
  let take: (socket: Socket) => void;
  const incoming = new Promise<Socket>((resolve) => (take = resolve));
  const server = await listenTcp('127.125.20.1', 0, (socket) => take(socket));
  const client = connect({ host: server.address, port: server.port, allowHalfOpen: true });
  const accepted = await incoming;
  client.on('error', () => {});
  t.teardown(async () => {
    client.destroy();
    accepted.destroy();
    await server.close();
  });
  return { client, accepted };
}

export async function listen(t: ExecutionContext, onSocket: (socket: Socket) => void): Promise<ListenSocket> {
  const sockets = new Set<Socket>();
  const server = await listenTcp('127.125.20.2', 0, (socket) => {
    sockets.add(socket);
    onSocket(socket);
  });
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await server.close();
  });
  return server;
}

/** Everything until the end. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.once('end', () => resolve(text));
    socket.once('error', reject);
    socket.resume();
  });
}
