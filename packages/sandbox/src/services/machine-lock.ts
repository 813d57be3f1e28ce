import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Clock, errorCode, type Timer } from '@flotilla/base';

export interface MachineLockOptions {
  /** An address that means the lock and nothing else. */
  address: string;
  port: number;
  clock: Clock;
  /** Called once, when the lock is ours. */
  onHeld: () => void;
}

/** How soon the lock is tried again when its holder could not be reached either, milliseconds. */
const retryAfter = 20;

/**
 * One holder among the processes of a machine, without polling: the holder listens on the address, the others stay
 * connected to it, and when it dies, however it does, the kernel tells them at once.
 */
export class MachineLock {
  readonly #options: MachineLockOptions;
  readonly #waiting = new Set<Socket>();
  #server: Server | undefined;
  #line: Socket | undefined;
  #timer: Timer | undefined;
  #held = false;
  #stopped = false;

  constructor(options: MachineLockOptions) {
    this.#options = options;
    this.#listen();
  }

  get held(): boolean {
    return this.#held;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#line?.destroy();
    this.#server?.close();
    for (const socket of this.#waiting) socket.destroy();
  }

  #listen(): void {
    if (this.#stopped) return;
    const server = createServer((socket) => {
      this.#waiting.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => this.#waiting.delete(socket));
      socket.resume();
    });
    this.#server = server;
    server.once('listening', () => {
      if (this.#stopped) return void server.close();
      this.#held = true;
      this.#options.onHeld();
    });
    server.on('error', (error) => {
      if (errorCode(error) === 'EADDRINUSE') this.#queue();
      else this.#again();
    });
    server.listen({ host: this.#options.address, port: this.#options.port, backlog: 511 });
  }

  #queue(): void {
    if (this.#stopped) return;
    const { address, port } = this.#options;
    const line = connect({ host: address, port });
    this.#line = line;
    let reached = false;
    line.setKeepAlive(true);
    line.on('error', () => undefined);
    line.once('connect', () => (reached = true));
    line.resume();
    line.once('close', () => {
      if (reached) this.#listen();
      else this.#again();
    });
  }

  #again(): void {
    this.#timer = this.#options.clock.after(retryAfter, () => this.#listen());
  }
}
