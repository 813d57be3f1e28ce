import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';

/** As much of an API client as a benchmark needs: so light that it does not disturb what it measures. */
export class BenchApi {
  readonly #port: number;
  readonly #agent: Agent;

  constructor(kubeconfig: string, port: number) {
    const text = readFileSync(kubeconfig, 'utf8');
    const pem = (key: string): Buffer => Buffer.from(new RegExp(`${key}: (\\S+)`).exec(text)?.[1] ?? '', 'base64');
    this.#port = port;
    this.#agent = new Agent({
      keepAlive: true,
      ca: pem('certificate-authority-data'),
      cert: pem('client-certificate-data'),
      key: pem('client-key-data'),
    });
  }

  /** One request; undefined where nobody answers yet. */
  call<T>(method: string, path: string, body?: object): Promise<{ status: number; body: T } | undefined> {
    return new Promise((resolve) => {
      const options = { host: '127.0.0.1', port: this.#port, method, path, agent: this.#agent };
      const headers = { 'content-type': 'application/json', accept: 'application/json' };
      const message = request({ ...options, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text || '{}') as T }));
        response.on('error', () => resolve(undefined));
      });
      message.on('error', () => resolve(undefined));
      message.end(body && JSON.stringify(body));
    });
  }

  /** Follows a watch and calls back for every object, until `stop` returns true. */
  watch<T>(path: string, each: (object: T, type: string) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const message = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          path: `${path}${path.includes('?') ? '&' : '?'}watch=1`,
          agent: this.#agent,
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
            const lines = text.split('\n');
            text = lines.pop() ?? '';
            for (const line of lines.filter(Boolean)) {
              const event = JSON.parse(line) as { type: string; object: T };
              if (!each(event.object, event.type)) continue;
              message.destroy();
              return resolve();
            }
          });
          response.on('end', () => reject(new Error(`watch of ${path} ended`)));
          response.on('error', () => undefined);
        },
      );
      message.on('error', reject);
      message.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

export interface Condition {
  type: string;
  status: string;
}

export interface Conditioned {
  metadata: { name: string; labels?: Record<string, string>; deletionTimestamp?: string };
  spec: { nodeName?: string };
  status?: { conditions?: Condition[] };
}

export const isReady = (object: Conditioned): boolean =>
  object.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
