import { parseTime } from '@flotilla/api';
import type { Clock, Logger } from '@flotilla/base';
import { type Serving, serveStreams, type StreamSink } from '@flotilla/client';
import { type LogReadOptions, readLog } from '@flotilla/sandbox';
import type { NatsConnection } from 'nats';
import type { PodWorkers } from '../pods/workers.js';

/** The options of the API's `pods/log`. */
export interface PodLogOptions {
  follow?: boolean;
  previous?: boolean;
  sinceSeconds?: number;
  sinceTime?: string;
  timestamps?: boolean;
  tailLines?: number;
  limitBytes?: number;
}

/** What the API server asks for on `node.<node>.logs`; see docs/architecture.md. */
export interface LogRequest {
  namespace: string;
  pod: string;
  uid?: string;
  container: string;
  options?: PodLogOptions;
}

export function serveLogs(
  nc: NatsConnection,
  node: string,
  workers: PodWorkers,
  options: { clock: Clock; logger: Logger },
): Serving {
  const handle = async (request: { body: Uint8Array }, sink: StreamSink): Promise<void> => {
    let asked: LogRequest;
    try {
      asked = JSON.parse(Buffer.from(request.body).toString()) as LogRequest;
    } catch {
      return refuse(sink, 400, 'the request is not JSON');
    }
    const found = findLog(workers, asked);
    if ('message' in found) return refuse(sink, found.status, found.message);
    sink.start(200, { 'Content-Type': 'text/plain' });
    for await (const chunk of readLog(found.log, readOptions(asked, options.clock.now()), sink.signal)) {
      await sink.write(chunk);
    }
    sink.end();
  };
  return serveStreams(nc, `node.${node}.logs`, handle, options);
}

function refuse(sink: StreamSink, status: number, message: string): void {
  sink.refuse(status, { 'Content-Type': 'text/plain' }, Buffer.from(message));
}

type FoundLog = { log: NonNullable<ReturnType<PodWorkers['log']>> } | { status: number; message: string };

function findLog(workers: PodWorkers, { namespace, pod, uid, container, options }: LogRequest): FoundLog {
  const worker = workers.find(namespace, pod, uid);
  if (!worker) return { status: 404, message: `pod ${JSON.stringify(pod)} not found on this node` };
  const { spec } = worker.pod();
  if (![...spec.containers, ...(spec.initContainers ?? [])].some(({ name }) => name === container)) {
    return { status: 400, message: `container ${container} is not valid for pod ${pod}` };
  }
  const previous = options?.previous === true;
  const log = workers.log(worker, container, previous);
  if (log) return { log };
  const what = `container "${container}" in pod "${pod}"`;
  if (previous) return { status: 400, message: `previous terminated ${what} not found` };
  const waiting = worker.record.containers[container]?.waiting?.reason ?? 'ContainerCreating';
  return { status: 400, message: `${what} is waiting to start: ${waiting}` };
}

function readOptions({ options = {} }: LogRequest, now: number): LogReadOptions {
  const since = options.sinceSeconds === undefined ? parseTime(options.sinceTime) : now - options.sinceSeconds * 1000;
  return {
    ...(options.follow ? { follow: true } : {}),
    ...(options.timestamps ? { timestamps: true } : {}),
    ...(options.tailLines === undefined ? {} : { tailLines: options.tailLines }),
    ...(options.limitBytes === undefined ? {} : { limitBytes: options.limitBytes }),
    ...(since === undefined ? {} : { sinceTime: since }),
  };
}
