import type { apps } from '@flotilla/api';
import test from 'ava';
import { rolloutProgress } from './rollout.js';

const deployment = (replicas: number, status: object): apps.Deployment =>
  ({ metadata: { name: 'web', generation: 2 }, spec: { replicas }, status }) as apps.Deployment;

test('a rollout goes through its stages in order', (t) => {
  const seen = { observedGeneration: 2 };
  const text = (status: object): string => rolloutProgress(deployment(3, status)).text;
  t.regex(text({ observedGeneration: 1 }), /spec update to be observed/);
  t.regex(text({ ...seen, updatedReplicas: 1 }), /1 out of 3 new replicas have been updated/);
  t.regex(text({ ...seen, updatedReplicas: 3, replicas: 4 }), /1 old replicas are pending termination/);
  t.regex(text({ ...seen, updatedReplicas: 3, replicas: 3, availableReplicas: 2 }), /2 of 3 updated replicas are/);
  t.deepEqual(rolloutProgress(deployment(3, { ...seen, updatedReplicas: 3, replicas: 3, availableReplicas: 3 })), {
    done: true,
    text: 'deployment "web" successfully rolled out',
  });
  t.true(
    rolloutProgress(
      deployment(3, { ...seen, conditions: [{ type: 'Progressing', reason: 'ProgressDeadlineExceeded' }] }),
    ).failed,
  );
});
