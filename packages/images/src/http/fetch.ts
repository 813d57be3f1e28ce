import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface Fetched {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

const agent = new Agent({ keepAlive: true });

/** A GET with a limit on the whole exchange; rejects on timeout or a broken connection. */
export function get(url: string, headers: Record<string, string>, timeoutMs: number): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => message.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const message = request(url, { headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    message.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    message.end();
  });
}
