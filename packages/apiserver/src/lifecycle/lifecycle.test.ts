import { configMaps, type core, type KubeObject, pods } from '@flotilla/api';
import test from 'ava';
import fc from 'fast-check';
import { equalJson } from '../equal.js';
import { type DeletionOptions, endsByUpdate, planDeletion } from './delete.js';

const now = Date.parse('2026-01-01T00:00:00Z');
const finalizer = fc.constantFrom('orphan', 'foregroundDeletion', 'example.com/a', 'example.com/b');
const options: fc.Arbitrary<DeletionOptions> = fc.record(
  {
    gracePeriodSeconds: fc.integer({ min: 0, max: 100 }),
    propagationPolicy: fc.constantFrom('Foreground', 'Background', 'Orphan'),
  },
  { requiredKeys: [] },
);
const anyPod: fc.Arbitrary<core.Pod> = fc
  .record({
    nodeName: fc.constantFrom('', 'n1'),
    phase: fc.constantFrom('Pending' as const, 'Running' as const, 'Succeeded' as const, 'Failed' as const),
    finalizers: fc.uniqueArray(finalizer),
    grace: fc.integer({ min: 0, max: 60 }),
  })
  .map(({ nodeName, phase, finalizers, grace }) => ({
    metadata: { name: 'p', namespace: 'd', finalizers, generation: 1 },
    spec: { containers: [], terminationGracePeriodSeconds: grace, ...(nodeName ? { nodeName } : {}) },
    status: { phase },
  }));

test('an object is removed only when nothing holds it', (t) => {
  fc.assert(
    fc.property(anyPod, options, (pod, wish) => {
      const plan = planDeletion(pods, pod, wish, now);
      if (plan.action === 'wait') return false;
      const object = plan.action === 'mark' ? plan.object : pod;
      if (plan.action === 'mark') return object.metadata.deletionTimestamp !== undefined;
      const kept = (pod.metadata.finalizers ?? []).filter((f) => f.startsWith('example.com'));
      return kept.length === 0 && wish.propagationPolicy !== 'Foreground' && wish.propagationPolicy !== 'Orphan';
    }),
  );
  t.pass();
});

test('deleting again never gives a pod more time, and never moves its end back', (t) => {
  fc.assert(
    fc.property(anyPod, fc.array(options, { minLength: 2, maxLength: 6 }), (pod, wishes) => {
      let present: core.Pod = pod;
      for (const [i, wish] of wishes.entries()) {
        const plan = planDeletion(pods, present, wish, now + i * 1000);
        if (plan.action === 'remove') return true;
        if (plan.action === 'wait') continue;
        const before = present.metadata;
        const after = plan.object.metadata;
        if (before.deletionTimestamp !== undefined) {
          const end = (m: KubeObject['metadata']): number => Date.parse(m.deletionTimestamp ?? '');
          if (end(after) > end(before)) return false;
          if ((after.deletionGracePeriodSeconds ?? 0) > (before.deletionGracePeriodSeconds ?? 0)) return false;
        }
        present = plan.object;
      }
      return true;
    }),
  );
  t.pass();
});

test('a marked object without finalizers and grace ends by any update', (t) => {
  const marked = { metadata: { name: 'a', deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 } };
  t.true(endsByUpdate(configMaps, marked));
  t.false(endsByUpdate(configMaps, { metadata: { ...marked.metadata, finalizers: ['x'] } }));
  t.false(endsByUpdate(configMaps, { metadata: { ...marked.metadata, deletionGracePeriodSeconds: 30 } }));
  t.false(endsByUpdate(configMaps, { metadata: { name: 'a' } }));
});

test('equality of JSON values', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const text = (value: unknown): string => JSON.stringify(sorted(value));
      return (
        equalJson(a, structuredClone(a)) &&
        equalJson(a, b) === (text(a) === text(b)) &&
        equalJson(a, b) === equalJson(b, a)
      );
    }),
  );
  t.true(equalJson({ a: 1, b: undefined }, { a: 1 }));
  t.true(equalJson({ a: 1 }, { a: 1, b: undefined }));
  t.false(equalJson({ a: null }, {}));
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
}
