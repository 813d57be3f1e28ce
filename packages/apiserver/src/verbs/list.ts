import {
  badRequest,
  expired,
  fieldErrors,
  FieldPath,
  invalid,
  type KubeObject,
  type meta,
  type ResourceInfo,
  resourceVersionTooLarge,
  StatusError,
} from '@flotilla/api';
import type { Clock } from '@flotilla/base';
import type { Call } from '../call.js';
import { countOption, revisionOption } from '../call.js';
import { type Selection, selectionOf } from '../selection.js';
import { keyFor, type Objects, type ObjectStore, prefixOf } from '../storage.js';
import { convert } from '../versions.js';

export interface ListResult {
  items: KubeObject[];
  metadata: meta.ListMeta;
}

/** How long a request waits for a resourceVersion that has not happened yet, milliseconds (upstream: 3 s). */
export const freshnessTimeout = 3000;

/** Waits until reads reflect `revision`. Throws upstream's retryable 504 when they do not in time. */
export async function waitFresh(
  store: ObjectStore,
  revision: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  if (revision <= store.revision()) return;
  const late = new AbortController();
  const timer = clock.after(freshnessTimeout, () => late.abort(resourceVersionTooLarge(revision, store.revision())));
  try {
    await store.waitFor(revision, AbortSignal.any([signal, late.signal]));
  } finally {
    timer.cancel();
  }
}

interface ContinueToken {
  /** The snapshot's revision; -1: whatever is current. */
  rv: number;
  /** The last key already returned. */
  after: string;
}

const encodeToken = (token: ContinueToken): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', ...token })).toString('base64url');

function decodeToken(text: string): ContinueToken {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString()) as Partial<ContinueToken>;
    if (typeof token.rv === 'number' && typeof token.after === 'string') return { rv: token.rv, after: token.after };
  } catch {
    // Falls through to the same answer.
  }
  throw badRequest('continue key is not valid: the token cannot be read');
}

/** Upstream's words for a token whose snapshot is gone; carries a token to go on with anyway. */
function tokenExpired(token: ContinueToken): StatusError {
  const message =
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
    'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
    'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or ' +
    'deleted between the time the first chunk was returned and now may show up in the list.';
  const { status } = expired(message);
  return new StatusError({ ...status, metadata: { continue: encodeToken({ rv: -1, after: token.after }) } });
}

type Snapshot = { revision: number; exact: boolean; after: string };

const forbiddenOption = (field: string, why: string): StatusError =>
  invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [fieldErrors.forbidden(FieldPath.of(field), why)]);

/** Which revision the list is of, and where in it the page starts, by upstream's table of parameters. */
function snapshotOf(query: URLSearchParams, store: ObjectStore): Snapshot & { atLeast: number } {
  const given = query.get('resourceVersion') ?? '';
  const match = query.get('resourceVersionMatch') ?? '';
  const revision = revisionOption(given);
  const token = query.get('continue');
  if (match !== '') {
    if (token)
      throw forbiddenOption('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided');
    if (given === '') {
      throw forbiddenOption(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden unless resourceVersion is provided',
      );
    }
    if (match === 'Exact' && revision === 0) {
      throw forbiddenOption(
        'resourceVersionMatch',
        'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
      );
    }
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [
        fieldErrors.notSupported(FieldPath.of('resourceVersionMatch'), match, ['Exact', 'NotOlderThan', '']),
      ]);
    }
  }
  const now = store.revision();
  if (token) {
    if (revision !== undefined && revision !== 0) {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    const { rv, after } = decodeToken(token);
    return rv < 0
      ? { revision: now, exact: false, after, atLeast: 0 }
      : { revision: rv, exact: true, after, atLeast: 0 };
  }
  if (revision === undefined || revision === 0) return { revision: now, exact: false, after: '', atLeast: 0 };
  // A limit with a revision and no match means exactly that revision, for clients older than the match parameter.
  const exact = match === 'Exact' || (match === '' && (countOption(query, 'limit') ?? 0) > 0);
  return { revision, exact, after: '', atLeast: revision };
}

/** The entries of a snapshot in key order. Throws 410 when the window no longer reaches back to it. */
function entriesAt(
  info: ResourceInfo,
  namespace: string,
  selection: Selection,
  snapshot: Snapshot,
  store: ObjectStore,
) {
  if (!snapshot.exact) {
    if (selection.name !== undefined && (namespace || !info.namespaced)) {
      const entry = store.get(keyFor(info, namespace, selection.name));
      return { revision: store.revision(), entries: entry ? [entry] : [] };
    }
    return store.list(prefixOf(info, namespace));
  }
  const entries = store.listAt(prefixOf(info, namespace), snapshot.revision);
  if (entries === 'future') throw resourceVersionTooLarge(snapshot.revision, store.revision());
  if (entries === 'expired') {
    if (snapshot.after) throw tokenExpired({ rv: snapshot.revision, after: snapshot.after });
    throw expired(`The resourceVersion for the provided list is too old.`);
  }
  return { revision: snapshot.revision, entries };
}

/** LIST, one page of it if the client wants pages. */
export async function list(call: Call, objects: Objects, clock: Clock): Promise<ListResult> {
  const { info, target, request } = call;
  const { store } = objects;
  const selection = selectionOf(info, request.query, target.name);
  const snapshot = snapshotOf(request.query, store);
  await waitFresh(store, snapshot.atLeast, clock, request.signal);
  const { revision, entries } = entriesAt(info, target.namespace, selection, snapshot, store);
  const limit = countOption(request.query, 'limit') ?? 0;
  const page: KubeObject[] = [];
  let last = '';
  let rest = 0;
  for (const { key, value } of entries) {
    if (snapshot.after !== '' && key <= snapshot.after) continue;
    if (!selection.all && !selection.matches(value)) continue;
    if (limit > 0 && page.length === limit) {
      rest++;
      // With a selector nobody is told how many remain, so there is no need to count them.
      if (!selection.all) break;
      continue;
    }
    page.push(convert(info, value));
    last = key;
  }
  const metadata: meta.ListMeta = { resourceVersion: String(revision) };
  if (rest > 0) {
    metadata.continue = encodeToken({ rv: revision, after: last });
    if (selection.all) metadata.remainingItemCount = rest;
  }
  return { items: page, metadata };
}

/** GET of one object. Throws 404, or 504 when it is asked for as of a revision that does not come. */
export async function get(call: Call, objects: Objects, clock: Clock): Promise<KubeObject> {
  const revision = revisionOption(call.request.query.get('resourceVersion')) ?? 0;
  await waitFresh(objects.store, revision, clock, call.request.signal);
  return objects.get(call.info, call.target.namespace, call.target.name);
}
