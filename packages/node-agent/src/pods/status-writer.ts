import { type core, pods, StatusError } from '@flotilla/api';
import { backoffDelay, describeError, type Timer } from '@flotilla/base';
import type { NodeContext } from './node.js';

/** Writes one pod's status to the API: at most one request at a time, always the newest, nothing twice. */
export class StatusWriter {
  readonly #node: NodeContext;
  readonly #ref: { namespace: string; name: string; uid: string };
  #wanted: core.PodStatus | undefined;
  #sent = '';
  #writing: Promise<void> | undefined;
  #failures = 0;
  #retry: Timer | undefined;
  #gone = false;
  /** Of the object as our last write left it. */
  #revision = 0;

  constructor(node: NodeContext, ref: { namespace: string; name: string; uid: string }) {
    this.#node = node;
    this.#ref = ref;
  }

  /** Sees to it that the API has this status, now or as soon as it can be reached. */
  write(status: core.PodStatus): void {
    this.#wanted = status;
    this.#pump();
  }

  /** Called with the object from the API: if somebody else has written over our status, it is written again. */
  observe(pod: core.Pod): void {
    if (!this.#wanted || this.#writing || Number(pod.metadata.resourceVersion) <= this.#revision) return;
    const theirs = pod.status?.conditions ?? [];
    const same = (this.#wanted.conditions ?? []).every(
      ({ type, status }) => theirs.find((condition) => condition.type === type)?.status === status,
    );
    if (same && pod.status.phase === this.#wanted.phase) return;
    this.#sent = '';
    this.#pump();
  }

  /** Resolves when the newest status has been written or its pod is gone. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  stop(): void {
    this.#gone = true;
    this.#retry?.cancel();
  }

  #pump(): void {
    if (this.#writing || this.#gone || !this.#wanted) return;
    const text = JSON.stringify(this.#wanted);
    if (text === this.#sent) return;
    this.#retry?.cancel();
    this.#writing = this.#send(this.#wanted, text).finally(() => {
      this.#writing = undefined;
      if (this.#failures === 0) this.#pump();
    });
  }

  async #send(status: core.PodStatus, text: string): Promise<void> {
    const { namespace, name, uid } = this.#ref;
    try {
      const patch = { metadata: { uid }, status: { ...status, conditions: status.conditions?.map(withoutRest) } };
      const written = await this.#node.client
        .resource(pods)
        .patch({ namespace, name }, patch, { type: 'strategic', subresource: 'status' });
      this.#sent = text;
      this.#failures = 0;
      this.#revision = Number(written.metadata.resourceVersion);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const { clock, logger, random } = this.#node;
    if (error instanceof StatusError && error.httpStatus === 404) {
      // No such pod: nobody to tell.
      this.#gone = true;
      return;
    }
    this.#failures++;
    const delay = backoffDelay({ base: 50, max: 5000, jitter: 0.5 }, this.#failures, random);
    logger.debug('pod status not written', {
      pod: `${this.#ref.namespace}/${this.#ref.name}`,
      error: describeError(error),
    });
    this.#retry = clock.after(delay, () => this.#pump());
  }
}

/** A patch takes nothing away that it does not name. */
function withoutRest(condition: core.PodCondition): object {
  return { reason: null, message: null, ...condition };
}
