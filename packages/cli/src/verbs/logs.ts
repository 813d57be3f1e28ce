import { once } from 'node:events';
import { type core, labelSelectorOf, isJsonObject, isPodReady, type meta, parseDuration, pods } from '@flotilla/api';
import { pathOf } from '@flotilla/client';
import { UserError } from '../errors.js';
import { namespaceFor, resolveKind } from './kinds.js';
import { bytesOf } from './requests.js';
import { onCluster, type Session, type VerbOptions } from './session.js';

export interface LogsOptions extends VerbOptions {
  container?: string;
  follow?: boolean;
  /** Lines. */
  tail?: number;
  previous?: boolean;
  timestamps?: boolean;
  since?: string;
}

const defaultContainer = 'kubectl.kubernetes.io/default-container';

export async function logs(target: string, container: string | undefined, options: LogsOptions): Promise<void> {
  const since = options.since === undefined ? undefined : parseDuration(options.since);
  if (options.since !== undefined && since === undefined) throw new UserError(`"${options.since}" is not a duration`);
  await onCluster(options, async (session) => {
    const pod = await podOf(session, target);
    const name = pod.metadata.name ?? '';
    const query: Record<string, string> = {
      container: container ?? options.container ?? containerOf(session, pod),
      ...(options.follow ? { follow: 'true' } : {}),
      ...(options.tail === undefined || options.tail < 0 ? {} : { tailLines: String(options.tail) }),
      ...(options.previous ? { previous: 'true' } : {}),
      ...(options.timestamps ? { timestamps: 'true' } : {}),
      ...(since === undefined ? {} : { sinceSeconds: String(Math.max(1, Math.ceil(since / 1000))) }),
    };
    const path = pathOf(pods, { namespace: pod.metadata.namespace, name, sub: 'log' });
    for await (const chunk of bytesOf(session, { path, query, accept: '*/*' })) {
      if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
    }
  });
}

/** `POD`, `pod/POD`, or the best pod of what selects pods: `deploy/web`, `svc/web`. */
async function podOf(session: Session, target: string): Promise<core.Pod> {
  const [kind = '', name] = target.includes('/') ? target.split('/') : ['pods', target];
  const info = resolveKind(kind);
  const namespace = namespaceFor(info, undefined, session.namespace);
  if (!name) throw new UserError('which pod?', 'for example: flotilla logs deploy/web');
  if (info === pods) return session.client.resource(pods).get(name, namespace);
  const labelSelector = podSelector(await session.client.resource(info).get(name, namespace));
  if (!labelSelector) throw new UserError(`${target} has no pods of its own`);
  const { items } = await session.client.resource(pods).list({ namespace: session.namespace, labelSelector });
  const best = items.find(isPodReady) ?? items[0];
  if (!best) throw new UserError(`${target} has no pods now`);
  if (items.length > 1) session.note(`Found ${items.length} pods, using pod/${best.metadata.name}`);
  return best;
}

/** A Service selects by plain labels, a workload by a LabelSelector. */
function podSelector(owner: unknown): string {
  if (!isJsonObject(owner) || !isJsonObject(owner.spec) || !isJsonObject(owner.spec.selector)) return '';
  const selector: meta.LabelSelector & Record<string, unknown> = owner.spec.selector;
  const structured = 'matchLabels' in selector || 'matchExpressions' in selector;
  return labelSelectorOf(
    structured ? selector : { matchLabels: owner.spec.selector as Record<string, string> },
  ).toString();
}

/** The container that kubectl would take: the annotated one, else the first, saying so if there are others. */
function containerOf(session: Session, pod: core.Pod): string {
  const names = pod.spec.containers.map((each) => each.name);
  const annotated = pod.metadata.annotations?.[defaultContainer];
  if (annotated && names.includes(annotated)) return annotated;
  const [first = ''] = names;
  const inits = (pod.spec.initContainers ?? []).map((each) => `${each.name} (init)`);
  if (names.length + inits.length > 1) {
    session.note(`Defaulted container "${first}" out of: ${[...names, ...inits].join(', ')}`);
  }
  return first;
}
