import type { Clock, Random } from '@flotilla/base';
import { happens, type Mirror, type RequestHeaders } from '@flotilla/traffic';
import { exchange, type ReplayBody } from '@flotilla/wire';
import type { UpstreamCluster } from '../upstream/cluster.js';

export interface MirrorPorts {
  clusters: { get(name: string): UpstreamCluster | undefined };
  clock: Clock;
  random: Random;
}

/** A mirrored request may take so long before it is given up. */
const timeout = 60_000;

/**
 * Fire and forget: a copy of the request goes to each mirror cluster once the body has been received; a body that does not
 * fit the replay buffer is not mirrored. What a mirror answers, or whether it does, is nobody's business.
 */
export function sendMirrors(
  mirrors: readonly Mirror[],
  request: RequestHeaders,
  body: ReplayBody,
  ports: MirrorPorts,
): void {
  for (const mirror of mirrors) {
    if (!happens(mirror.share, ports.random)) continue;
    const copy = request.clone();
    if (mirror.shadowHost) copy.authority = shadowHost(copy.authority);
    body.onEnd(() => {
      const bytes = body.snapshot();
      const cluster = ports.clusters.get(mirror.cluster);
      if (bytes && cluster) void send(cluster, copy, bytes, ports);
    });
  }
}

/** `reviews:9080` → `reviews-shadow:9080` */
function shadowHost(authority: string): string {
  const match = /^(.*?)(:\d+)?$/.exec(authority)!;
  return `${match[1]}-shadow${match[2] ?? ''}`;
}

async function send(
  cluster: UpstreamCluster,
  request: RequestHeaders,
  body: Buffer,
  { clock }: MirrorPorts,
): Promise<void> {
  const host = cluster.pick({ address: '', port: 0 });
  if (!host) return;
  const abort = new AbortController();
  const timer = clock.after(timeout, () => abort.abort(new Error('mirrored request took too long')));
  host.active++;
  try {
    const lease = await cluster.pool('DEFAULT').acquire(host, abort.signal);
    if (body.length > 0) request.set('content-length', String(body.length));
    const headers = ['host', request.authority, ...request.flat];
    await new Promise<void>((resolve) => {
      const sent = exchange(
        lease,
        { method: request.method, path: request.path, headers, chunked: false },
        {
          onResponse(response) {
            response.body.once('close', resolve);
            response.body.resume();
          },
          onReset: () => resolve(),
        },
      );
      abort.signal.addEventListener('abort', () => {
        sent.cancel();
        resolve();
      });
      sent.body.end(body);
    });
  } catch {
    // No connection: the mirror misses this one.
  } finally {
    timer.cancel();
    host.active--;
  }
}
