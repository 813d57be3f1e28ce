import { type KubeObject, type meta, pods } from '@flotilla/api';
import test from 'ava';
import fc from 'fast-check';
import { decideGarbage, type OwnerState } from './decide.js';
import { OwnerGraph } from './graph.js';

const ref = (uid: string, extra: Partial<meta.OwnerReference> = {}): meta.OwnerReference => ({
  apiVersion: 'v1',
  kind: 'X',
  name: uid,
  uid,
  ...extra,
});

const object = (uid: string, metadata: Partial<meta.ObjectMeta> = {}): KubeObject => ({
  metadata: { name: uid, uid, ...metadata },
});
const dying = { deletionTimestamp: '2025-01-01T00:00:00Z' };

const decide = (o: KubeObject, owners: OwnerState[], dependents: KubeObject[] = []) =>
  decideGarbage({ object: o, owners, dependents });

test('an object without owners is kept', (t) => {
  t.deepEqual(decide(object('a'), []), { kind: 'keep' });
});

test('an object goes when its last owner is gone', (t) => {
  const owned = object('a', { ownerReferences: [ref('x'), ref('y')] });
  t.deepEqual(decide(owned, ['present', 'present']), { kind: 'keep' });
  t.deepEqual(decide(owned, ['absent', 'present']), { kind: 'setOwners', owners: [ref('y')] });
  t.deepEqual(decide(owned, ['absent', 'absent']), { kind: 'delete', policy: 'Background' });
  t.deepEqual(decide(owned, ['absent', 'unresolvable']), { kind: 'setOwners', owners: [ref('y')] });
});

test('what is on its way already is left alone', (t) => {
  t.deepEqual(decide(object('a', { ...dying, ownerReferences: [ref('x')] }), ['absent']), { kind: 'keep' });
});

test('an earlier wish about dependents is kept', (t) => {
  const owned = object('a', { finalizers: ['foregroundDeletion'], ownerReferences: [ref('x')] });
  t.deepEqual(decide(owned, ['absent']), { kind: 'delete', policy: 'Foreground' });
});

test('foreground: the owner waits for the dependents that block it', (t) => {
  const owner = object('o', { ...dying, finalizers: ['foregroundDeletion'] });
  const blocking = object('b', { ownerReferences: [ref('o', { blockOwnerDeletion: true })] });
  const other = object('c', { ownerReferences: [ref('o')] });
  t.deepEqual(decide(owner, [], [blocking, other]), { kind: 'awaitDependents', dependents: [blocking, other] });
  t.deepEqual(decide(owner, [], [other]), { kind: 'removeFinalizer', finalizer: 'foregroundDeletion' });
  t.deepEqual(decide(blocking, ['waiting']), { kind: 'delete', policy: 'Background' });
  t.deepEqual(decide(blocking, ['waiting'], [object('d')]), { kind: 'delete', policy: 'Foreground' });
});

test('foreground: a circle is cut', (t) => {
  const owned = object('b', { ownerReferences: [ref('o', { blockOwnerDeletion: true })] });
  const waiting = object('d', { ...dying, finalizers: ['foregroundDeletion'] });
  t.deepEqual(decide(owned, ['waiting'], [waiting]), {
    kind: 'unblockAndDelete',
    owners: [ref('o', { blockOwnerDeletion: false })],
  });
});

test('orphaning: dependents first, then the finalizer', (t) => {
  const owner = object('o', { ...dying, finalizers: ['orphan'] });
  const dependent = object('d', { ownerReferences: [ref('o')] });
  t.deepEqual(decide(owner, [], [dependent]), { kind: 'orphan', dependents: [dependent] });
  t.deepEqual(decide(owner, []), { kind: 'removeFinalizer', finalizer: 'orphan' });
});

test('the graph knows the dependents of every owner after any sequence of changes', (t) => {
  const uids = ['a', 'b', 'c', 'd'];
  const change = fc.record({
    uid: fc.constantFrom(...uids),
    owners: fc.option(fc.uniqueArray(fc.constantFrom(...uids)), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const graph = new OwnerGraph();
      const truth = new Map<string, string[]>();
      for (const { uid, owners } of changes) {
        if (owners) {
          graph.put(pods, object(uid, { ownerReferences: owners.map((o) => ref(o)) }));
          truth.set(uid, owners);
        } else {
          graph.remove(uid);
          truth.delete(uid);
        }
      }
      for (const uid of uids) {
        const wanted = [...truth].filter(([, owners]) => owners.includes(uid)).map(([key]) => key);
        t.deepEqual(
          graph
            .dependentsOf(uid)
            .map((n) => String(n.object.metadata.uid))
            .toSorted(),
          wanted.toSorted(),
        );
      }
    }),
  );
});
