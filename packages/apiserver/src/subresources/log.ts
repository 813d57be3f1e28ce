import { badRequest, type core, failure, type StatusError } from '@flotilla/api';
import { countOption, flagOption } from '../call.js';

/** Asks the agent of a node for something that streams. Rejects with StatusError. */
export interface NodeStreams {
  open(node: string, verb: string, request: object, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

/** core/v1 PodLogOptions: kubectl's query parameters, checked. */
export interface PodLogOptions {
  container: string;
  follow?: boolean;
  previous?: boolean;
  timestamps?: boolean;
  tailLines?: number;
  sinceSeconds?: number;
  limitBytes?: number;
  /** RFC 3339. */
  sinceTime?: string;
}

/** What the agent is asked for: the body of `node.<node>.logs`. */
export interface LogRequest {
  namespace: string;
  pod: string;
  uid: string;
  container: string;
  options: PodLogOptions;
}

const names = (containers: readonly { name: string }[] | undefined): string[] => (containers ?? []).map((c) => c.name);

/** The container whose log is wanted, by upstream's rules (`pod/rest/log.go`, `LogLocation`). Throws 400. */
export function logContainer(pod: core.Pod, asked: string): string {
  const all = [...names(pod.spec.initContainers), ...names(pod.spec.containers)];
  const { name } = pod.metadata;
  if (asked) {
    if (all.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const own = names(pod.spec.containers);
  const [first] = own;
  const init = names(pod.spec.initContainers);
  if (own.length === 1 && first !== undefined) return first;
  const list = `[${own.join(' ')}]`;
  const extra = init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : '';
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: ${list}${extra}`);
}

const invalidOptions = (field: string, why: string): StatusError =>
  failure('Invalid', `PodLogOptions "" is invalid: ${field}: ${why}`);

function countOf(query: URLSearchParams, name: string, least: 0 | 1): number | undefined {
  const count = countOption(query, name);
  if (count === undefined || count >= least) return count;
  const why = least > 0 ? 'must be greater than 0' : 'must be greater than or equal to 0';
  throw invalidOptions(name, `Invalid value: ${count}: ${why}`);
}

/** PodLogOptions of a query, checked. Throws 400, 422. */
export function logOptions(query: URLSearchParams, container: string): PodLogOptions {
  const options: PodLogOptions = { container };
  const counts = { tailLines: 0, sinceSeconds: 1, limitBytes: 1 } as const;
  for (const name of ['tailLines', 'sinceSeconds', 'limitBytes'] as const) {
    const count = countOf(query, name, counts[name]);
    if (count !== undefined) options[name] = count;
  }
  for (const name of ['follow', 'previous', 'timestamps'] as const) if (flagOption(query, name)) options[name] = true;
  const sinceTime = query.get('sinceTime');
  if (sinceTime) options.sinceTime = sinceTime;
  if (options.sinceSeconds !== undefined && sinceTime) {
    throw invalidOptions('sinceSeconds', 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified');
  }
  return options;
}

/** Checks the query against the pod and gives back what to ask of whom; undefined: the pod runs nowhere yet. */
export function planLog(pod: core.Pod, query: URLSearchParams): { node: string; request: LogRequest } | undefined {
  const container = logContainer(pod, query.get('container') ?? '');
  const options = logOptions(query, container);
  if (!pod.spec.nodeName) return undefined;
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  return { node: pod.spec.nodeName, request: { namespace, pod: name, uid, container, options } };
}

/** What is said while the pod has no node. */
export function unscheduled(pod: core.Pod): StatusError {
  return badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
}
