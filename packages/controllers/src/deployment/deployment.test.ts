import type { apps, core } from '@flotilla/api';
import test from 'ava';
import fc from 'fast-check';
import { decideDeployment, type DeploymentPlan } from './decide.js';
import { newReplicaSet, templateHash } from './revision.js';
import { findCondition } from './status.js';
import { fenceposts } from './strategy.js';

const template = (version: string): core.PodTemplateSpec => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image: `web:${version}`, resources: {} }] },
});

function deploymentOf(replicas: number, version: string, rolling: apps.RollingUpdateDeployment = {}): apps.Deployment {
  return {
    metadata: { name: 'web', namespace: 'default', uid: 'd', generation: 1 },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: template(version),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%', ...rolling } },
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
    },
    status: {},
  };
}

/** A world in which replica sets do at once what they are told, and pods become available when told. */
class World {
  deployment: apps.Deployment;
  sets: apps.ReplicaSet[] = [];
  /** Milliseconds; every step takes a second, as the API's times have no finer grain. */
  now = Date.parse('2025-01-01T00:00:00Z');
  events: string[] = [];

  constructor(deployment: apps.Deployment) {
    this.deployment = deployment;
  }

  step(): DeploymentPlan {
    this.now += 1000;
    const plan = decideDeployment({ deployment: this.deployment, replicaSets: this.sets, pods: [] }, this.now);
    if (plan.create) this.sets.push(this.#created(plan.create));
    for (const { before, after } of plan.update) {
      this.sets = this.sets.map((rs) => (rs === before ? this.#observed(after) : rs));
    }
    this.sets = this.sets.filter((rs) => !plan.remove.includes(rs));
    if (plan.revision !== undefined) {
      const annotations = {
        ...this.deployment.metadata.annotations,
        'deployment.kubernetes.io/revision': plan.revision,
      };
      this.deployment = { ...this.deployment, metadata: { ...this.deployment.metadata, annotations } };
    }
    if (plan.status) this.deployment = { ...this.deployment, status: plan.status };
    return plan;
  }

  #created(replicaSet: apps.ReplicaSet): apps.ReplicaSet {
    const creationTimestamp = new Date(this.now).toISOString();
    return this.#observed({
      ...replicaSet,
      metadata: { ...replicaSet.metadata, uid: replicaSet.metadata.name ?? '', creationTimestamp },
    });
  }

  /** The replica set controller has made or removed pods; unavailable ones go first. */
  #observed(rs: apps.ReplicaSet): apps.ReplicaSet {
    const replicas = rs.spec.replicas ?? 1;
    const available = Math.min(rs.status.availableReplicas ?? 0, replicas);
    return { ...rs, status: { ...rs.status, replicas, readyReplicas: available, availableReplicas: available } };
  }

  /** Sets how many of a replica set's pods are available. */
  become(index: number, available: number): void {
    this.sets = this.sets.map((rs, i) => {
      const count = Math.max(0, Math.min(available, rs.status.replicas));
      return i === index ? { ...rs, status: { ...rs.status, readyReplicas: count, availableReplicas: count } } : rs;
    });
  }

  get total(): number {
    return this.sets.reduce((sum, rs) => sum + (rs.spec.replicas ?? 0), 0);
  }

  get available(): number {
    return this.sets.reduce((sum, rs) => sum + (rs.status.availableReplicas ?? 0), 0);
  }

  /** Steps, with all pods becoming available at once, until nothing changes. */
  settle(): void {
    for (let i = 0; i < 100; i++) {
      const plan = this.step();
      this.sets.forEach((rs, index) => this.become(index, rs.status.replicas));
      if (!plan.create && plan.update.length + plan.remove.length === 0 && !plan.status) return;
    }
    throw new Error('does not settle');
  }
}

const condition = (world: World, type: string): apps.DeploymentCondition | undefined =>
  findCondition(world.deployment.status.conditions, type);

test('the first roll-out creates a replica set with all replicas', (t) => {
  const world = new World(deploymentOf(3, '1'));
  const plan = world.step();
  t.is(plan.create?.spec.replicas, 3);
  t.is(plan.create?.metadata.name, `web-${templateHash(template('1'), undefined)}`);
  t.is(plan.create?.metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
  t.is(plan.create?.metadata.annotations?.['deployment.kubernetes.io/desired-replicas'], '3');
  t.is(plan.create?.metadata.annotations?.['deployment.kubernetes.io/max-replicas'], '4');
  t.is(plan.revision, '1');
  t.is(condition(world, 'Progressing')?.reason, 'NewReplicaSetCreated');
  t.is(condition(world, 'Available')?.status, 'False');
  world.settle();
  t.is(condition(world, 'Progressing')?.reason, 'NewReplicaSetAvailable');
  t.is(condition(world, 'Available')?.message, 'Deployment has minimum availability.');
  t.like(world.deployment.status, { replicas: 3, updatedReplicas: 3, availableReplicas: 3, unavailableReplicas: 0 });
});

test('a settled deployment is left alone', (t) => {
  const world = new World(deploymentOf(3, '1'));
  world.settle();
  const plan = world.step();
  t.deepEqual(plan, { update: [], remove: [] });
});

test('going back to an earlier template reuses its replica set under a new revision', (t) => {
  const world = new World(deploymentOf(2, '1'));
  world.settle();
  world.deployment = { ...world.deployment, spec: { ...world.deployment.spec, template: template('2') } };
  world.settle();
  world.deployment = { ...world.deployment, spec: { ...world.deployment.spec, template: template('1') } };
  world.settle();
  t.is(world.sets.length, 2);
  const [first, second] = world.sets;
  t.is(first?.spec.replicas, 2);
  t.is(second?.spec.replicas, 0);
  t.is(first?.metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
  t.is(first?.metadata.annotations?.['deployment.kubernetes.io/revision-history'], '1');
  t.is(world.deployment.metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
});

test('old replica sets beyond the history limit go', (t) => {
  const world = new World(deploymentOf(1, '0'));
  world.deployment.spec.revisionHistoryLimit = 2;
  world.settle();
  for (const version of ['1', '2', '3', '4']) {
    world.deployment = { ...world.deployment, spec: { ...world.deployment.spec, template: template(version) } };
    world.settle();
  }
  const revisions = world.sets.map((rs) => rs.metadata.annotations?.['deployment.kubernetes.io/revision']);
  t.deepEqual(revisions, ['3', '4', '5']);
});

test('percentages round as upstream: the surge up, the unavailable down, never both zero', (t) => {
  t.deepEqual(fenceposts(deploymentOf(10, '1')), { maxSurge: 3, maxUnavailable: 2 });
  t.deepEqual(fenceposts(deploymentOf(1, '1')), { maxSurge: 1, maxUnavailable: 0 });
  t.deepEqual(fenceposts(deploymentOf(3, '1', { maxSurge: 0, maxUnavailable: 0 })), { maxSurge: 0, maxUnavailable: 1 });
});

test('Recreate waits for the last old pod', (t) => {
  const world = new World(deploymentOf(2, '1'));
  world.deployment.spec.strategy = { type: 'Recreate' };
  world.settle();
  world.deployment = { ...world.deployment, spec: { ...world.deployment.spec, template: template('2') } };
  const first = world.step();
  t.is(first.create, undefined);
  t.deepEqual(
    first.update.map((u) => u.after.spec.replicas),
    [0],
  );
  const lingering: core.Pod = {
    metadata: {
      name: 'old',
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'x',
          uid: world.sets[0]?.metadata.uid ?? '',
          controller: true,
        },
      ],
    },
    spec: { containers: [] },
    status: { phase: 'Running' },
  };
  const state = { deployment: world.deployment, replicaSets: world.sets, pods: [lingering] };
  t.is(decideDeployment(state, world.now).create, undefined);
  t.is(decideDeployment({ ...state, pods: [] }, world.now).create?.spec.replicas, 2);
});

test('a paused deployment scales but does not roll out', (t) => {
  const world = new World(deploymentOf(2, '1'));
  world.settle();
  const { spec } = world.deployment;
  world.deployment = { ...world.deployment, spec: { ...spec, paused: true, template: template('2'), replicas: 5 } };
  world.settle();
  t.is(world.sets.length, 1);
  t.is(world.sets[0]?.spec.replicas, 5);
  t.is(condition(world, 'Progressing')?.reason, 'DeploymentPaused');
  world.deployment = { ...world.deployment, spec: { ...world.deployment.spec, paused: false } };
  world.step();
  t.is(world.sets.length, 2);
});

test('scaling amid a roll-out keeps the proportion', (t) => {
  const world = new World(deploymentOf(10, '1', { maxSurge: 3, maxUnavailable: 2 }));
  world.settle();
  world.deployment = { ...world.deployment, spec: { ...world.deployment.spec, template: template('2') } };
  world.step();
  world.step();
  t.deepEqual(
    world.sets.map((rs) => rs.spec.replicas),
    [8, 3],
  );
  world.step();
  t.deepEqual(
    world.sets.map((rs) => rs.spec.replicas),
    [8, 5],
  );
  world.deployment = { ...world.deployment, spec: { ...world.deployment.spec, replicas: 15 } };
  world.step();
  // The example of upstream's documentation: 5 more are shared 3 to 2.
  t.deepEqual(
    world.sets.map((rs) => rs.spec.replicas),
    [11, 7],
  );
});

test('a roll-out without progress times out', (t) => {
  const world = new World(deploymentOf(2, '1'));
  world.deployment.spec.progressDeadlineSeconds = 30;
  const plan = world.step();
  t.true((plan.checkAgainInMs ?? 0) > 29_000);
  world.step();
  t.is(condition(world, 'Progressing')?.reason, 'ReplicaSetUpdated');
  world.now += 40_000;
  world.step();
  t.is(condition(world, 'Progressing')?.reason, 'ProgressDeadlineExceeded');
  t.is(condition(world, 'Progressing')?.status, 'False');
});

test('the hash depends on the template and the collision count, not on the order of members', (t) => {
  const spec = template('1');
  t.is(
    templateHash(spec, undefined),
    templateHash({ spec: { ...spec.spec }, metadata: { ...spec.metadata } }, undefined),
  );
  t.not(templateHash(spec, undefined), templateHash(spec, 1));
  t.regex(templateHash(spec, undefined), /^[bcdfghjklmnpqrstvwxz2456789]+$/);
});

test('a replica set of the same template but another hash label is found', (t) => {
  const deployment = deploymentOf(1, '1');
  const present = newReplicaSet({ ...deployment, status: { collisionCount: 7 } }, 1, 1);
  present.metadata.uid = 'rs';
  const plan = decideDeployment({ deployment, replicaSets: [present], pods: [] }, 0);
  t.is(plan.create, undefined);
});

const rolling = fc.record({
  replicas: fc.integer({ min: 0, max: 12 }),
  maxSurge: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('0%', '25%', '100%')),
  maxUnavailable: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('0%', '25%', '100%')),
  /** Which versions are rolled out one after the other, the next before the last is done. */
  versions: fc.array(fc.integer({ min: 2, max: 4 }), { minLength: 1, maxLength: 3 }),
  /** What happens between steps: which replica set gets one more available pod. */
  luck: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 60 }),
});

test('a rolling update keeps between minimum and maximum at every step, and ends', (t) => {
  fc.assert(
    fc.property(rolling, ({ replicas, maxSurge, maxUnavailable, versions, luck }) => {
      const world = new World(deploymentOf(replicas, '1', { maxSurge, maxUnavailable }));
      world.settle();
      const limits = fenceposts(world.deployment);
      const least = replicas - Math.min(limits.maxUnavailable, replicas);
      const check = (): void => {
        if (world.total > replicas + limits.maxSurge) throw new Error(`${world.total} pods`);
        if (world.available < least) throw new Error(`${world.available} available`);
      };
      let turn = 0;
      for (const version of versions) {
        world.deployment = {
          ...world.deployment,
          spec: { ...world.deployment.spec, template: template(String(version)) },
        };
        for (let i = 0; i < 6; i++) {
          world.step();
          check();
          const index = luck[turn++] ?? 0;
          const lucky = world.sets[index];
          if (lucky) world.become(index, (lucky.status.availableReplicas ?? 0) + 1);
        }
      }
      for (let i = 0; i < 60; i++) {
        world.step();
        check();
        world.sets.forEach((rs, index) => world.become(index, (rs.status.availableReplicas ?? 0) + 1));
      }
      const active = world.sets.filter((rs) => (rs.spec.replicas ?? 0) > 0);
      t.true(active.length <= 1 && world.total === replicas && world.available === replicas);
      t.deepEqual(world.step(), { update: [], remove: [] });
    }),
    { numRuns: 200 },
  );
});
