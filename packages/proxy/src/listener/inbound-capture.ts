import { type FSWatcher, mkdirSync, readdirSync, watch } from 'node:fs';
import { describeError, type Logger } from '@flotilla/base';

/**
 * Loopback's counterpart of redirecting inbound packets: programs of the pod leave a file named after each port they
 * listen on (docs/architecture.md), and the proxy opens the same port at the pod's address.
 */
export class InboundCapture {
  readonly #dir: string;
  readonly #logger: Logger;
  readonly #onPort: (port: number, listening: boolean) => void;
  readonly #ports = new Set<number>();
  #watcher: FSWatcher | undefined;

  constructor(captureDir: string, logger: Logger, onPort: (port: number, listening: boolean) => void) {
    this.#dir = `${captureDir}/inbound`;
    this.#logger = logger;
    this.#onPort = onPort;
  }

  start(): void {
    try {
      mkdirSync(this.#dir, { recursive: true });
      // Watched before it is read: a file that appears in between is seen at least once.
      this.#watcher = watch(this.#dir, () => this.#scan());
      this.#watcher.on('error', (error) =>
        this.#logger.warn('inbound ports are no longer watched', { error: describeError(error) }),
      );
    } catch (error) {
      this.#logger.error('cannot watch inbound ports', { dir: this.#dir, error: describeError(error) });
    }
    this.#scan();
  }

  stop(): void {
    this.#watcher?.close();
  }

  #scan(): void {
    const present = new Set<number>();
    try {
      for (const name of readdirSync(this.#dir)) if (/^\d{1,5}$/.test(name)) present.add(Number(name));
    } catch {
      // The directory went with the pod.
    }
    for (const port of this.#ports) if (!present.has(port)) this.#change(port, false);
    for (const port of present) if (!this.#ports.has(port)) this.#change(port, true);
  }

  #change(port: number, listening: boolean): void {
    if (listening) this.#ports.add(port);
    else this.#ports.delete(port);
    this.#onPort(port, listening);
  }
}
