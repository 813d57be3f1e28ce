import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type core, isPodTerminal, parseTime, pods, StatusError } from '@flotilla/api';
import { backoffDelay, describeError, sleep, type Timer } from '@flotilla/base';
import type { ContainerLog } from '@flotilla/sandbox';
import { ContainerRunner } from './container.js';
import { type Action, decide, nextStart } from './decide.js';
import { restartLostPod, wasLost } from './lost.js';
import type { NodeContext, PodHost, Setup } from './node.js';
import type { PodRecord } from './observed.js';
import { PodSetup } from './setup.js';
import { saveRecord } from './state-file.js';
import { podStatus } from './status.js';
import { StatusWriter } from './status-writer.js';

export interface PodWorkerOptions {
  node: NodeContext;
  pod: core.Pod;
  /** What an earlier agent left behind. */
  saved?: PodRecord | undefined;
  /** The pod is no more, here and in the API. */
  onGone: () => void;
}

/**
 * Brings one pod to where its spec wants it and keeps it there: observes, asks `decide`, applies the plan, tells the
 * API. Every event only says "look again".
 */
export class PodWorker implements PodHost {
  readonly node: NodeContext;
  readonly dir: string;
  readonly record: PodRecord;
  readonly #options: PodWorkerOptions;
  readonly #runners = new Map<string, ContainerRunner>();
  readonly #writer: StatusWriter;
  #pod: core.Pod;
  #status: core.PodStatus | undefined;
  readonly #setup: PodSetup;
  #timer: Timer | undefined;
  #scheduled = false;
  #ending = false;
  #removed = false;
  #stopped = false;
  #backedOff = new Map<string, number>();

  constructor(options: PodWorkerOptions) {
    const { node, pod, saved } = options;
    const { uid = '', namespace = '', name = '' } = pod.metadata;
    this.#options = options;
    this.node = node;
    this.dir = join(node.podsDir, uid);
    this.#pod = pod;
    this.record = saved ?? newPodRecord(pod, node.clock.now());
    this.#writer = new StatusWriter(node, { namespace, name, uid });
    this.#setup = new PodSetup(this, () => {
      for (const runner of this.#runners.values()) runner.hint();
    });
    for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
      this.#runners.set(container.name, new ContainerRunner(this, container.name));
    }
    if (saved) this.#adopt(saved);
    // What an earlier agent, or one on a node of this name, saw through to the end.
    if (isPodTerminal(pod) && !saved) this.record.finished = true;
  }

  pod(): core.Pod {
    return this.#pod;
  }

  get finished(): boolean {
    return this.record.finished;
  }

  log(container: string, previous: boolean): ContainerLog | undefined {
    return this.#runners.get(container)?.log(previous);
  }

  /** The object has changed. */
  update(pod: core.Pod): void {
    this.#pod = pod;
    this.#writer.observe(pod);
    this.changed();
  }

  /** The object is gone from the API: nobody waits for the pod's end, so it is short. */
  gone(last: core.Pod | undefined): void {
    if (last) this.#pod = last;
    this.#removed = true;
    this.#writer.stop();
    const grace = Math.min(1, this.#pod.metadata.deletionGracePeriodSeconds ?? 1);
    this.#terminate(grace);
    this.changed();
  }

  /** A ConfigMap, Secret or claim of the namespace has changed. */
  configChanged(): void {
    if (this.record.finished || this.#stopped) return;
    if (!this.record.prepared) {
      this.changed();
      return;
    }
    this.#setup.refresh();
    for (const record of Object.values(this.record.containers)) {
      if (record.waiting?.reason === 'CreateContainerConfigError') delete record.retryAt;
    }
    this.changed();
  }

  changed(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#stopped) this.#sync();
    });
  }

  save(): void {
    if (!this.#ending) saveRecord(this.dir, this.record);
  }

  prepared(): Promise<Setup> {
    return this.#setup.prepared();
  }

  /** The agent ends and takes the pod's processes with it; the next agent begins them anew. */
  async park(graceMs: number): Promise<void> {
    this.#halt();
    this.record.parked = !this.record.finished;
    this.save();
    await Promise.all([...this.#runners.values()].map((runner) => runner.kill(graceMs)));
  }

  /** The agent ends and leaves the pod running. */
  release(): void {
    this.#halt();
    for (const runner of this.#runners.values()) runner.release();
  }

  #halt(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#setup.stop();
    this.#writer.stop();
  }

  #adopt(saved: PodRecord): void {
    const before = structuredClone(saved);
    const { record } = this;
    for (const runner of this.#runners.values()) runner.adopt();
    if (wasLost(before, record)) record.parked = true;
    // Who listens where, and what is captured, is for the new programs to say.
    if (restartLostPod(record)) rmSync(join(this.dir, 'capture'), { recursive: true, force: true });
    record.parked = false;
    if (record.finished) return;
    // At once, before a new pod is given the address.
    if (record.podIP !== undefined) this.#setup.attach();
    if (record.prepared) void this.prepared().catch(() => undefined);
  }

  #sync(): void {
    const { record, node } = this;
    const now = node.clock.now();
    this.#noteTermination(now);
    const plan = decide(this.#pod.spec, record, now, node.backoff.crash);
    record.initialized = plan.initialized;
    if (plan.finished && !record.finished) this.#finish();
    for (const action of plan.actions) this.#apply(action);
    this.#tellBackOffs(now);
    this.#wake(plan.wakeAt, now);
    this.save();
    this.#report(now);
    if (record.finished && (this.#removed || this.#pod.metadata.deletionTimestamp !== undefined)) void this.#end();
  }

  #apply(action: Action): void {
    if (action.do === 'prepare') {
      void this.prepared().catch(() => undefined);
      return;
    }
    const runner = this.#runners.get(action.container);
    if (action.do === 'start') void runner?.start();
    else runner?.stop(action.grace, `Stopping container ${action.container}`);
  }

  #noteTermination(now: number): void {
    const { metadata, spec } = this.#pod;
    if (metadata.deletionTimestamp !== undefined) this.#terminate(metadata.deletionGracePeriodSeconds ?? 30);
    const deadline = spec.activeDeadlineSeconds;
    if (deadline === undefined || this.record.termination || this.record.finished) return;
    if (now < this.record.startTime + deadline * 1000) return;
    const message = 'Pod was active on the node longer than the specified deadline';
    this.#terminate(spec.terminationGracePeriodSeconds ?? 30, { reason: 'DeadlineExceeded', message });
    this.node.events.event(this.#pod, 'Normal', 'DeadlineExceeded', message);
  }

  #terminate(graceSeconds: number, failure?: { reason: string; message: string }): void {
    const deadline = this.node.clock.now() + graceSeconds * 1000;
    const { termination } = this.record;
    if (!termination) this.record.termination = failure ? { deadline, failure } : { deadline };
    else termination.deadline = Math.min(termination.deadline, deadline);
  }

  #wake(at: number | undefined, now: number): void {
    this.#timer?.cancel();
    const { activeDeadlineSeconds: limit } = this.#pod.spec;
    const expiry = limit === undefined || this.record.termination ? undefined : this.record.startTime + limit * 1000;
    const next = Math.min(at ?? Number.POSITIVE_INFINITY, expiry ?? Number.POSITIVE_INFINITY);
    if (this.record.finished || next === Number.POSITIVE_INFINITY) return;
    this.#timer = this.node.clock.after(Math.min(Math.max(1, next - now), 2 ** 31 - 1), () => this.changed());
  }

  #tellBackOffs(now: number): void {
    for (const [name, record] of Object.entries(this.record.containers)) {
      const at = record.state === 'ended' ? nextStart(record, this.node.backoff.crash) : undefined;
      if (at === undefined || at <= now || record.waiting || this.#backedOff.get(name) === record.runs) continue;
      if (this.record.termination || this.record.finished) continue;
      this.#backedOff.set(name, record.runs);
      const pod = `${this.record.name}_${this.record.namespace}(${this.record.uid})`;
      const message = `Back-off restarting failed container ${name} in pod ${pod}`;
      this.node.events.event(this.#pod, 'Warning', 'BackOff', message);
    }
  }

  #report(now: number): void {
    // Built upon what we said last, so that transition times stay although the API's echo is still on its way.
    const said = this.#status;
    const theirs = this.#pod.status?.conditions ?? [];
    const conditions = [
      ...(said?.conditions ?? []),
      ...theirs.filter(({ type }) => !said?.conditions?.some((own) => own.type === type)),
    ];
    const pod = { ...this.#pod, status: { ...this.#pod.status, ...said, conditions: said ? conditions : theirs } };
    this.#status = podStatus({
      pod,
      record: this.record,
      hostIP: this.node.nodeIP,
      backoff: this.node.backoff.crash,
      now,
    });
    if (!isPodTerminal(this.#pod) || this.record.termination) this.#writer.write(this.#status);
  }

  /** Nothing of the pod runs or will run again. */
  #finish(): void {
    this.record.finished = true;
    this.#setup.detach();
    void this.node.strays.kill(this.record.uid).catch(() => undefined);
  }

  /** The last word to the API, then the pod's directory goes, then the object. */
  async #end(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    await Promise.all([this.node.strays.kill(this.record.uid).catch(() => undefined), this.#writer.flush()]);
    this.#halt();
    await rm(this.dir, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
    if (this.#pod.metadata.deletionTimestamp !== undefined) await this.#deleteObject();
    this.#options.onGone();
  }

  async #deleteObject(): Promise<void> {
    const { namespace, name, uid } = this.record;
    const { client, clock, logger, random } = this.node;
    for (let failures = 1; ; failures++) {
      try {
        await client.resource(pods).delete({ namespace, name }, { gracePeriodSeconds: 0, uid });
        return;
      } catch (error) {
        if (error instanceof StatusError && (error.httpStatus === 404 || error.httpStatus === 409)) return;
        logger.debug('pod not deleted yet', { pod: `${namespace}/${name}`, error: describeError(error) });
        await sleep(clock, backoffDelay({ base: 50, max: 5000, jitter: 0.5 }, failures, random));
      }
    }
  }
}

function newPodRecord(pod: core.Pod, now: number): PodRecord {
  return {
    uid: pod.metadata.uid ?? '',
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name ?? '',
    startTime: parseTime(pod.status?.startTime) ?? now,
    hostNetwork: pod.spec.hostNetwork === true,
    prepared: false,
    containers: {},
    initialized: false,
    finished: false,
    parked: false,
  };
}
