import type { KubeObject, ResourceInfo } from '@flotilla/api';
import { isRetryable } from '@flotilla/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { StatusError } from '@flotilla/api';
import type { Session } from './session.js';

/**
 * The object as it is now, then after each change; undefined while there is none. It ends only when the caller leaves the
 * loop or `signal` is aborted (throws the signal's reason).
 */
export async function* statesOf<T extends KubeObject>(
  session: Session,
  info: ResourceInfo<T>,
  ref: { name: string; namespace: string | undefined },
  signal: AbortSignal,
): AsyncGenerator<T | undefined> {
  const resource = session.client.resource(info);
  const selection = {
    ...(ref.namespace ? { namespace: ref.namespace } : {}),
    fieldSelector: `metadata.name=${ref.name}`,
  };
  for (;;) {
    const { items, resourceVersion } = await resource.list(selection, signal);
    yield items[0];
    try {
      for await (const { type, object } of resource.watch({ ...selection, resourceVersion }, signal)) {
        if (type !== 'BOOKMARK') yield type === 'DELETED' ? undefined : object;
      }
    } catch (error) {
      signal.throwIfAborted();
      // The watch is lost or too old; the list says how things are now.
      if (!isRetryable(error) && !(error instanceof StatusError && error.httpStatus === 410)) throw error;
      await sleep(200, undefined, { signal });
    }
  }
}

/** Waits until `done` gives something; undefined if it does not within `timeoutMs`. */
export async function untilState<T extends KubeObject, R>(
  session: Session,
  info: ResourceInfo<T>,
  ref: { name: string; namespace: string | undefined },
  done: (object: T | undefined) => R | undefined,
  timeoutMs?: number,
): Promise<R | undefined> {
  const timeout = new AbortController();
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => timeout.abort(), timeoutMs);
  try {
    for await (const object of statesOf(session, info, ref, timeout.signal)) {
      const result = done(object);
      if (result !== undefined) return result;
    }
  } catch (error) {
    if (!timeout.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
  return undefined;
}
