import type { core, storage } from '@flotilla/api';
import test from 'ava';
import { type ClaimState, decideClaim, localPathProvisioner } from './claims.js';
import { decideVolume, provisionedVolume } from './persistent.js';
import { decideProtection } from './protection.js';

const claimOf = (
  spec: Partial<core.PersistentVolumeClaimSpec> = {},
  annotations: Record<string, string> = {},
): core.PersistentVolumeClaim => ({
  metadata: { name: 'data', namespace: 'default', uid: 'c1', annotations },
  spec: {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    storageClassName: 'standard',
    ...spec,
  },
  status: { phase: 'Pending' },
});

const volumeOf = (
  name: string,
  size: string,
  spec: Partial<core.PersistentVolumeSpec> = {},
): core.PersistentVolume => ({
  metadata: { name, uid: name },
  spec: { capacity: { storage: size }, accessModes: ['ReadWriteOnce'], storageClassName: 'standard', ...spec },
  status: { phase: 'Available' },
});

const classOf = (facts: Partial<storage.StorageClass> = {}): storage.StorageClass => ({
  metadata: { name: 'standard' },
  provisioner: localPathProvisioner,
  volumeBindingMode: 'Immediate',
  ...facts,
});

const decide = (claim: core.PersistentVolumeClaim, state: Partial<ClaimState> = {}) =>
  decideClaim({ claim, volumes: [], classes: [classOf()], consumers: [], ...state });

const reasonOf = (action: ReturnType<typeof decide>): string | undefined =>
  action.kind === 'pending' || action.kind === 'lost' ? action.event?.reason : undefined;

test('the smallest volume that fits is bound', (t) => {
  const volumes = [volumeOf('big', '10Gi'), volumeOf('small', '500Mi'), volumeOf('fit', '2Gi')];
  const action = decide(claimOf(), { volumes });
  t.is(action.kind === 'bind' && action.volume.metadata.name, 'fit');
});

test('a volume reserved for the claim comes first, one of another claim never', (t) => {
  const reserved = volumeOf('reserved', '5Gi', { claimRef: { namespace: 'default', name: 'data' } });
  const taken = volumeOf('taken', '1Gi', { claimRef: { namespace: 'default', name: 'data', uid: 'other' } });
  const action = decide(claimOf(), { volumes: [taken, volumeOf('free', '1Gi'), reserved] });
  t.is(action.kind === 'bind' && action.volume.metadata.name, 'reserved');
});

test('without a volume one is provisioned', (t) => {
  t.is(decide(claimOf()).kind, 'provision');
  const volume = provisionedVolume(claimOf(), classOf({ reclaimPolicy: 'Delete' }), '/volumes/pvc-c1');
  t.like(volume, {
    metadata: { name: 'pvc-c1' },
    spec: { storageClassName: 'standard', hostPath: { path: '/volumes/pvc-c1' } },
  });
  const next = decide(claimOf(), { volumes: [volume] });
  t.is(next.kind, 'bind');
});

test('WaitForFirstConsumer waits for the scheduler’s choice', (t) => {
  const classes = [classOf({ volumeBindingMode: 'WaitForFirstConsumer' })];
  t.is(reasonOf(decide(claimOf(), { classes, volumes: [volumeOf('free', '2Gi')] })), 'WaitForFirstConsumer');
  const consumer: core.Pod = { metadata: { name: 'p', namespace: 'default' }, spec: { containers: [] }, status: {} };
  const waiting = decide(claimOf(), { classes, consumers: [consumer] });
  t.is(waiting.kind === 'pending' && waiting.event?.message, 'waiting for pod p to be scheduled');
  const chosen = claimOf({}, { 'volume.kubernetes.io/selected-node': 'node-1' });
  t.is(decide(chosen, { classes, volumes: [volumeOf('free', '2Gi')] }).kind, 'provision');
});

test('what cannot be served says why', (t) => {
  t.is(reasonOf(decide(claimOf({ storageClassName: 'missing' }))), 'ProvisioningFailed');
  t.is(reasonOf(decide(claimOf({ storageClassName: '' }))), 'FailedBinding');
  t.is(reasonOf(decide(claimOf({ volumeMode: 'Block' }))), 'ProvisioningFailed');
  t.is(decide(claimOf(), { classes: [classOf({ provisioner: 'example.com/other' })] }).kind, 'askProvisioner');
});

test('a claim without a class gets the default one', (t) => {
  const { storageClassName: _, ...spec } = claimOf().spec;
  const marked = classOf({
    metadata: { name: 'fast', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  });
  const action = decide({ ...claimOf(), spec }, { classes: [classOf(), marked] });
  t.deepEqual(action, { kind: 'setClass', storageClass: 'fast' });
});

test('a bound claim that lost its volume says so', (t) => {
  const bound = claimOf({ volumeName: 'gone' }, { 'pv.kubernetes.io/bind-completed': 'yes' });
  t.is(reasonOf(decide(bound)), 'ClaimLost');
  const stolen = volumeOf('gone', '1Gi', { claimRef: { namespace: 'default', name: 'other', uid: 'c2' } });
  t.is(reasonOf(decide(bound, { volumes: [stolen] })), 'ClaimMisbound');
});

test('a volume follows its claim', (t) => {
  const claimRef = { namespace: 'default', name: 'data', uid: 'c1' };
  const bound = volumeOf('v', '1Gi', { claimRef, persistentVolumeReclaimPolicy: 'Delete' });
  t.deepEqual(decideVolume({ volume: volumeOf('v', '1Gi'), claim: undefined }), { kind: 'phase', phase: 'Available' });
  t.deepEqual(decideVolume({ volume: bound, claim: claimOf({ volumeName: 'v' }) }), { kind: 'phase', phase: 'Bound' });
  t.deepEqual(decideVolume({ volume: bound, claim: claimOf() }), { kind: 'leaveToClaim' });
  t.deepEqual(decideVolume({ volume: bound, claim: undefined }), { kind: 'release', by: 'others' });
  bound.metadata.annotations = { 'pv.kubernetes.io/provisioned-by': localPathProvisioner };
  t.deepEqual(decideVolume({ volume: bound, claim: undefined }), { kind: 'release', by: 'delete' });
  bound.spec.persistentVolumeReclaimPolicy = 'Retain';
  t.deepEqual(decideVolume({ volume: bound, claim: undefined }), { kind: 'release', by: 'retain' });
});

test('protection: a finalizer while alive or in use', (t) => {
  const finalizer = 'kubernetes.io/pvc-protection';
  const alive = claimOf();
  t.deepEqual(decideProtection(alive, finalizer, false), [finalizer]);
  const dying = { ...alive, metadata: { ...alive.metadata, finalizers: [finalizer, 'x'], deletionTimestamp: 'now' } };
  t.is(decideProtection(dying, finalizer, true), undefined);
  t.deepEqual(decideProtection(dying, finalizer, false), ['x']);
});
