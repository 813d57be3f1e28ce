import { type core, formatTime, isStatus, pods, setCondition } from '@flotilla/api';
import { type Clock, describeError, type Logger, type Random } from '@flotilla/base';
import type { EventRecorder } from '@flotilla/client';
import type { Profile } from '@flotilla/host';
import { type ApiClient, byNamespace, type Caches } from './caches.js';
import { decidePlace, filters } from './cycle.js';
import type { Hint } from './filters/filter.js';
import { planClaims, volumesOf } from './filters/volumes.js';
import { describeUnschedulable, type Unschedulable } from './fit-error.js';
import { feedScheduler } from './feed.js';
import { Cluster } from './model/cluster.js';
import type { PodInfo } from './model/pod-info.js';
import { type Attempt, SchedulingQueue } from './queue.js';
import { bindClaims } from './volume-binder.js';

export interface SchedulerContext {
  client: ApiClient;
  caches: Caches;
  recorder: EventRecorder;
  logger: Logger;
  clock: Clock;
  random: Random;
  profile: Profile;
}

/** How long the loop goes on before others get their turn, milliseconds. */
const sliceMs = 5;
/** Upstream's podInitialBackoffSeconds and podMaxBackoffSeconds, and a livelier pair. */
const backoffs = { kubernetes: { base: 1000, max: 10_000 }, fast: { base: 100, max: 5000 } };

/**
 * Places pods. One decision at a time, from what is known now and what was just decided; bindings go on beside it. A
 * decision is counted at once (assumed) and taken back if its binding fails.
 */
export class Scheduler {
  readonly #ctx: SchedulerContext;
  readonly #cluster: Cluster;
  readonly #queue: SchedulingQueue;
  readonly #stop = new AbortController();
  readonly #bindings = new Set<Promise<void>>();
  readonly #stopFeed: () => void;
  #scheduled = false;
  #start = 0;

  constructor(ctx: SchedulerContext) {
    this.#ctx = ctx;
    const { caches } = ctx;
    this.#cluster = new Cluster({
      labelsOfNamespace: (name) => caches.namespaces.get(name)?.metadata.labels ?? {},
      servicesOf: (pod) => selectorsOfServices(pod, caches),
      claim: (key) => caches.claims.get(key),
      volume: (name) => caches.volumes.get(name),
      volumes: () => caches.volumes.list(),
      storageClass: (name) => caches.storageClasses.get(name),
    });
    this.#queue = new SchedulingQueue(ctx.clock, backoffs[ctx.profile], () => this.#wake());
    this.#stopFeed = feedScheduler(caches, this.#cluster, this.#queue, (pod) => this.#holdBack(pod));
  }

  /** Resolves when the bindings under way have ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#stopFeed();
    this.#queue.stop();
    await Promise.all(this.#bindings);
    await this.#ctx.recorder.flush();
  }

  /** Decisions begin in a turn of their own, so that what came together is known together. */
  #wake(): void {
    if (this.#scheduled || this.#stop.signal.aborted) return;
    this.#scheduled = true;
    this.#ctx.clock.after(0, () => {
      this.#scheduled = false;
      this.#run();
    });
  }

  #run(): void {
    const { clock } = this.#ctx;
    const started = clock.monotonic();
    while (!this.#stop.signal.aborted) {
      const attempt = this.#queue.pop();
      if (!attempt) return;
      this.#schedule(attempt);
      if (clock.monotonic() - started > sliceMs && this.#queue.length > 0) return this.#wake();
    }
  }

  #schedule(attempt: Attempt): void {
    const { pod } = attempt;
    const { caches, random } = this.#ctx;
    const current = caches.pods.get(pod.key);
    if (!current || current.metadata.uid !== pod.uid || current.spec.nodeName || current.metadata.deletionTimestamp)
      return;
    if (this.#cluster.isAssumed(pod)) return;
    const choice = { start: this.#start++, random: () => random.next() };
    const decision = decidePlace(pod, this.#cluster, choice);
    if ('unschedulable' in decision) return this.#refuse(attempt, decision.unschedulable);
    this.#cluster.assume(pod, decision.node);
    const binding = this.#bind(attempt, decision.node).finally(() => this.#bindings.delete(binding));
    this.#bindings.add(binding);
  }

  #refuse(attempt: Attempt, why: Unschedulable): void {
    const hints = new Set<Hint>(filters.filter((f) => why.plugins.has(f.name)).flatMap((f) => f.hints));
    // Without any node there is nothing that a filter could have said.
    if (why.total === 0) hints.add('node');
    this.#queue.putUnschedulable(attempt, hints);
    this.#report(attempt.pod, 'Unschedulable', describeUnschedulable(why));
  }

  /** Never rejects. */
  async #bind(attempt: Attempt, node: string): Promise<void> {
    const { pod } = attempt;
    const { client, recorder } = this.#ctx;
    const { name = '', namespace = '', uid } = pod.pod.metadata;
    try {
      await this.#bindClaims(pod, node);
      await client.resource(pods).createSub({ name, namespace }, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, ...(uid ? { uid } : {}) },
        target: { kind: 'Node', name: node },
      });
      recorder.event(pod.pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
    } catch (error) {
      await this.#bindingFailed(attempt, error);
    }
  }

  async #bindClaims(pod: PodInfo, node: string): Promise<void> {
    const info = this.#cluster.node(node)?.node;
    const around = this.#cluster.surroundings;
    const volumes = volumesOf(pod.pod, around);
    if ('message' in volumes || volumes.waiting.length === 0 || !info) return;
    const plans = planClaims(volumes.waiting, info, around) ?? [];
    await bindClaims(plans, node, { ...this.#ctx, signal: this.#stop.signal });
  }

  /** The answer may have been lost while the binding was made: then the API says where the pod is. */
  async #bindingFailed(attempt: Attempt, error: unknown): Promise<void> {
    const { pod } = attempt;
    const { client, logger } = this.#ctx;
    if (this.#stop.signal.aborted) return;
    const { name = '', namespace } = pod.pod.metadata;
    const present = await client
      .resource(pods)
      .get(name, namespace)
      .catch((failure: unknown) => (isStatus(failure, 'NotFound') ? undefined : pod.pod));
    if (present?.metadata.uid === pod.uid && present.spec.nodeName) return this.#cluster.setPod(pod.key, present);
    this.#cluster.forget(pod);
    this.#queue.happened('pod-removed');
    if (present?.metadata.uid !== pod.uid || present.metadata.deletionTimestamp) return;
    logger.warn('binding failed', { pod: pod.key, error: describeError(error) });
    this.#queue.putBack(attempt);
    this.#report(pod, 'SchedulerError', `binding rejected: ${describeError(error)}`);
  }

  /** A pod that is not to be scheduled yet. */
  #holdBack(pod: PodInfo): void {
    this.#setCondition(pod, 'SchedulingGated', 'Scheduling is blocked due to non-empty scheduling gates');
  }

  #report(pod: PodInfo, reason: string, message: string): void {
    this.#ctx.recorder.event(pod.pod, 'Warning', 'FailedScheduling', message);
    this.#setCondition(pod, reason, message);
  }

  #setCondition(pod: PodInfo, reason: string, message: string): void {
    const { caches, client, clock, logger } = this.#ctx;
    const current = caches.pods.get(pod.key) ?? pod.pod;
    const present = current.status.conditions?.find((c) => c.type === 'PodScheduled');
    if (present?.status === 'False' && present.reason === reason && present.message === message) return;
    const refused: core.PodCondition = { type: 'PodScheduled', status: 'False', reason, message };
    const [condition] = setCondition(present ? [present] : [], refused, formatTime(clock.now()));
    const { name = '', namespace, uid } = current.metadata;
    client
      .resource(pods)
      .patch(
        { name, namespace },
        { metadata: { uid }, status: { conditions: [condition] } },
        { type: 'strategic', subresource: 'status' },
      )
      .catch((error: unknown) => logger.debug('condition not written', { pod: pod.key, error: describeError(error) }));
  }
}

function selectorsOfServices(pod: core.Pod, caches: Caches): Record<string, string>[] {
  const labels = pod.metadata.labels ?? {};
  return caches.services.byIndex(byNamespace, pod.metadata.namespace ?? '').flatMap((service) => {
    const selector = service.spec.selector ?? {};
    const entries = Object.entries(selector);
    return entries.length > 0 && entries.every(([k, v]) => labels[k] === v) ? [selector] : [];
  });
}
