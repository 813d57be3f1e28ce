import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type core, pods as podsInfo } from '@flotilla/api';
import { describeError } from '@flotilla/base';
import { Informer } from '@flotilla/client';
import type { ContainerLog } from '@flotilla/sandbox';
import type { NodeContext } from './node.js';
import type { PodRecord } from './observed.js';
import { loadRecords } from './state-file.js';
import { PodWorker } from './worker.js';

/** All pods of this node: one worker each, by UID. */
export class PodWorkers {
  readonly #node: NodeContext;
  readonly #informer: Informer<core.Pod>;
  readonly #workers = new Map<string, PodWorker>();
  readonly #saved = new Map<string, PodRecord | undefined>();
  #stopped = false;

  constructor(node: NodeContext) {
    this.#node = node;
    const { client, clock, random, logger } = node;
    const fieldSelector = `spec.nodeName=${node.name}`;
    this.#informer = new Informer(client, podsInfo, { fieldSelector, clock, random, logger });
  }

  /** Takes over what an earlier agent left, as soon as the API has said what is to be. */
  async start(): Promise<void> {
    for (const [uid, record] of loadRecords(this.#node.podsDir)) this.#saved.set(uid, record);
    this.#informer.start();
    await this.#informer.whenSynced();
    if (this.#stopped) return;
    const wanted = new Set(this.#informer.list().map((pod) => pod.metadata.uid ?? ''));
    const left = [...this.#saved.keys()].filter((uid) => !wanted.has(uid));
    await Promise.all(left.map((uid) => this.#discard(uid)));
    // Those with an address first, so that nobody else is given it.
    const known = this.#informer.list().filter((pod) => this.#saved.has(pod.metadata.uid ?? ''));
    for (const pod of known) this.#update(pod);
    this.#informer.onChange((_key, now, before) => {
      if (before && before.metadata.uid !== now?.metadata.uid) this.#gone(before);
      if (now) this.#update(now);
    });
  }

  list(): PodWorker[] {
    return [...this.#workers.values()];
  }

  /** The pods of this node as the API has them. */
  objects(): core.Pod[] {
    return this.list().map((worker) => worker.pod());
  }

  find(namespace: string, name: string, uid?: string): PodWorker | undefined {
    return this.list().find(
      ({ record }) => record.namespace === namespace && record.name === name && (!uid || record.uid === uid),
    );
  }

  log(pod: PodWorker, container: string, previous: boolean): ContainerLog | undefined {
    return pod.log(container, previous);
  }

  configChanged(namespace: string): void {
    for (const worker of this.#workers.values()) {
      if (namespace === '' || worker.record.namespace === namespace) worker.configChanged();
    }
  }

  /** Ends every process of every pod; they begin anew with the next agent. */
  async park(graceMs: number): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.list().map((worker) => worker.park(graceMs)));
    await this.#informer.stop();
  }

  /** Leaves every process running. */
  async release(): Promise<void> {
    this.#stopped = true;
    for (const worker of this.#workers.values()) worker.release();
    await this.#informer.stop();
  }

  #update(pod: core.Pod): void {
    if (this.#stopped) return;
    const uid = pod.metadata.uid ?? '';
    const present = this.#workers.get(uid);
    if (present) return present.update(pod);
    const saved = this.#saved.get(uid);
    this.#saved.delete(uid);
    const worker = new PodWorker({ node: this.#node, pod, saved, onGone: () => this.#workers.delete(uid) });
    this.#workers.set(uid, worker);
    worker.update(pod);
  }

  #gone(pod: core.Pod): void {
    this.#workers.get(pod.metadata.uid ?? '')?.gone(pod);
  }

  /** A pod that ceased to be while no agent was here: what is left of it goes. */
  async #discard(uid: string): Promise<void> {
    this.#saved.delete(uid);
    try {
      await this.#node.strays.kill(uid);
      await rm(join(this.#node.podsDir, uid), { recursive: true, force: true, maxRetries: 3 });
    } catch (error) {
      this.#node.logger.warn('cannot clean up after a pod', { uid, error: describeError(error) });
    }
  }
}
