import { createServer, type Server, type Socket } from 'node:net';

export interface ListenSocket {
  readonly address: string;
  readonly port: number;
  /** Takes no more connections; those accepted live on. Resolves when the port is free. */
  close(): Promise<void>;
}

/**
 * Listens for TCP connections and hands each over paused, so that nothing is read before somebody decides how. Rejects
 * with the system's error, e.g. EADDRINUSE.
 */
export function listenTcp(address: string, port: number, onSocket: (socket: Socket) => void): Promise<ListenSocket> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
    // Between two owners of a socket an error must not be unhandled.
    socket.on('error', () => {});
    onSocket(socket);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, backlog: 1024 }, () => {
      server.off('error', reject);
      // Running out of descriptors while accepting is reported here; those waiting are accepted later.
      server.on('error', () => {});
      resolve({ address, port: portOf(server, port), close: () => closeServer(server) });
    });
  });
}

function portOf(server: Server, asked: number): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : asked;
}

/** `close` waits for open connections too; the port itself is free at once. */
function closeServer(server: Server): Promise<void> {
  server.close(() => {});
  return Promise.resolve();
}
