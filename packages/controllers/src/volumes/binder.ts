import { type core, keyOf, persistentVolumeClaims, persistentVolumes, type storage, formatTime } from '@flotilla/api';
import { describeError, done, KeyedMutex, type Outcome } from '@flotilla/base';
import { byClaim } from '../caches.js';
import { deleteObject, ignoring, refOf } from '../common/calls.js';
import { equivalent } from '../common/equivalent.js';
import { isTerminating, nameOf, uidOf } from '../common/objects.js';
import type { ControllerContext, RunningController } from '../context.js';
import { reconciler, running } from '../reconciler.js';
import { type ClaimAction, type ClaimEvent, decideClaim, localPathProvisioner } from './claims.js';
import { annotation, bindCompleted, boundByController, isBoundTo } from './match.js';
import {
  claimRefOf,
  decideVolume,
  provisionedVolume,
  provisionerFinalizer,
  type VolumeAction,
  volumeNameFor,
} from './persistent.js';

const claimKey = (ref: core.ObjectReference): string => `${ref.namespace}/${ref.name}`;

/** Binds claims to volumes, provisions directories for those without, reclaims volumes whose claim is gone. */
export function volumeController(ctx: ControllerContext): RunningController {
  const { caches } = ctx;
  const recorder = ctx.recorder('persistentvolume-controller');
  const provisionerRecorder = ctx.recorder(localPathProvisioner);
  const clients = {
    claims: ctx.client.resource(persistentVolumeClaims),
    volumes: ctx.client.resource(persistentVolumes),
  };
  // Claims compete for volumes: one decision at a time. Provisioning, which is slow, needs no such order.
  const binding = new KeyedMutex();
  const claims = reconciler(ctx, 'persistentvolumeclaim', reconcileClaim);
  const volumes = reconciler(ctx, 'persistentvolume', reconcileVolume);

  async function reconcileClaim(key: string): Promise<Outcome> {
    const claim = caches.persistentVolumeClaims.get(key);
    if (!claim) return done;
    await binding.run('binding', async () => {
      const action = decideClaim({
        claim,
        volumes: caches.persistentVolumes.list(),
        classes: caches.storageClasses.list(),
        consumers: caches.pods.byIndex(byClaim, key),
      });
      await applyToClaim(claim, action);
    });
    return done;
  }

  async function applyToClaim(claim: core.PersistentVolumeClaim, action: ClaimAction): Promise<void> {
    switch (action.kind) {
      case 'none':
        return;
      case 'bind':
        return bind(claim, action.volume);
      case 'provision':
        return provision(claim, action.storageClass);
      case 'askProvisioner':
        announce(claim, action.event);
        return askProvisioner(claim, action.storageClass);
      case 'setClass':
        await clients.claims.patch(refOf(claim), {
          metadata: { uid: uidOf(claim), resourceVersion: claim.metadata.resourceVersion },
          spec: { storageClassName: action.storageClass },
        });
        return;
      case 'pending':
        if (action.event) announce(claim, action.event);
        return setClaimStatus(claim, { phase: 'Pending' });
      case 'lost':
        if (claim.status.phase !== 'Lost') announce(claim, action.event);
        return setClaimStatus(claim, { phase: 'Lost' });
    }
  }

  const announce = (claim: core.PersistentVolumeClaim, event: ClaimEvent): void =>
    recorder.event(claim, event.type, event.reason, event.message);

  /** Volume first: a crash in between leaves a reserved volume, which the next attempt finds. */
  async function bind(claim: core.PersistentVolumeClaim, volume: core.PersistentVolume): Promise<void> {
    const reserved = await reserve(volume, claim);
    await setPhase(reserved, 'Bound');
    const updated = await completeClaim(claim, reserved);
    await setClaimStatus(updated, {
      phase: 'Bound',
      ...(reserved.spec.accessModes ? { accessModes: reserved.spec.accessModes } : {}),
      ...(reserved.spec.capacity ? { capacity: reserved.spec.capacity } : {}),
    });
  }

  async function reserve(
    volume: core.PersistentVolume,
    claim: core.PersistentVolumeClaim,
  ): Promise<core.PersistentVolume> {
    if (isBoundTo(volume, claim) && volume.spec.claimRef?.uid === uidOf(claim)) return volume;
    const byUs: Record<string, string> = volume.spec.claimRef === undefined ? { [boundByController]: 'yes' } : {};
    return clients.volumes.update({
      ...volume,
      metadata: { ...volume.metadata, annotations: { ...volume.metadata.annotations, ...byUs } },
      spec: { ...volume.spec, claimRef: claimRefOf(claim) },
    });
  }

  async function completeClaim(
    claim: core.PersistentVolumeClaim,
    volume: core.PersistentVolume,
  ): Promise<core.PersistentVolumeClaim> {
    const named = claim.spec.volumeName === nameOf(volume);
    if (named && annotation(claim, bindCompleted) !== undefined) return claim;
    const byUs: Record<string, string> = named ? {} : { [boundByController]: 'yes' };
    return clients.claims.update({
      ...claim,
      metadata: { ...claim.metadata, annotations: { ...claim.metadata.annotations, [bindCompleted]: 'yes', ...byUs } },
      spec: { ...claim.spec, volumeName: nameOf(volume) },
    });
  }

  async function setClaimStatus(
    claim: core.PersistentVolumeClaim,
    status: core.PersistentVolumeClaimStatus,
  ): Promise<void> {
    const { phase, accessModes, capacity } = claim.status;
    if (equivalent({ phase, accessModes, capacity }, status)) return;
    const { accessModes: _a, capacity: _c, ...others } = claim.status;
    await clients.claims.updateStatus({ ...claim, status: { ...others, ...status } });
  }

  async function provision(claim: core.PersistentVolumeClaim, storageClass: storage.StorageClass): Promise<void> {
    const name = volumeNameFor(claim);
    const message = `External provisioner is provisioning volume for claim "${keyOf(claim)}"`;
    provisionerRecorder.event(claim, 'Normal', 'Provisioning', message);
    try {
      const path = await ctx.volumes.create(name);
      await ignoring(['AlreadyExists'], () => clients.volumes.create(provisionedVolume(claim, storageClass, path)));
    } catch (error) {
      const why = `failed to provision volume with StorageClass "${nameOf(storageClass)}": ${describeError(error)}`;
      provisionerRecorder.event(claim, 'Warning', 'ProvisioningFailed', why);
      throw error;
    }
    // The new volume's arrival in the cache calls for the claim again, which then binds.
    provisionerRecorder.event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`);
  }

  async function askProvisioner(claim: core.PersistentVolumeClaim, storageClass: storage.StorageClass): Promise<void> {
    const keys = ['volume.beta.kubernetes.io/storage-provisioner', 'volume.kubernetes.io/storage-provisioner'];
    const wanted = Object.fromEntries(keys.map((key) => [key, storageClass.provisioner]));
    if (keys.every((key) => annotation(claim, key) === storageClass.provisioner)) {
      return setClaimStatus(claim, { phase: 'Pending' });
    }
    await clients.claims.patch(refOf(claim), { metadata: { uid: uidOf(claim), annotations: wanted } });
  }

  async function reconcileVolume(name: string): Promise<Outcome> {
    const volume = caches.persistentVolumes.get(name);
    if (!volume) return done;
    const ref = volume.spec.claimRef;
    await applyToVolume(volume, decideVolume({ volume, claim: ref?.uid ? await claimOf(ref) : undefined }));
    return done;
  }

  async function claimOf(ref: core.ObjectReference): Promise<core.PersistentVolumeClaim | undefined> {
    const cached = caches.persistentVolumeClaims.get(claimKey(ref));
    // A volume must not be given up, data and all, because a cache was behind: ask the API before believing it is gone.
    if (cached && uidOf(cached) === ref.uid) return cached;
    return ignoring(['NotFound'], () => clients.claims.get(ref.name ?? '', ref.namespace));
  }

  async function applyToVolume(volume: core.PersistentVolume, action: VolumeAction): Promise<void> {
    switch (action.kind) {
      case 'phase':
        return void (await setPhase(volume, action.phase));
      case 'leaveToClaim':
        if (volume.spec.claimRef) claims.add(claimKey(volume.spec.claimRef));
        return;
      case 'unbind':
        return unbind(volume);
      case 'release':
        return release(volume, action.by);
    }
  }

  async function setPhase(
    volume: core.PersistentVolume,
    phase: core.PersistentVolumePhase,
    message?: string,
  ): Promise<core.PersistentVolume> {
    if (volume.status.phase === phase && volume.status.message === message) return volume;
    const status: core.PersistentVolumeStatus = {
      phase,
      lastPhaseTransitionTime: formatTime(ctx.clock.now()),
      ...(message === undefined ? {} : { message }),
    };
    return clients.volumes.updateStatus({ ...volume, status });
  }

  async function unbind(volume: core.PersistentVolume): Promise<void> {
    const { [boundByController]: byUs, ...annotations } = volume.metadata.annotations ?? {};
    const { claimRef, ...spec } = volume.spec;
    const { uid: _u, resourceVersion: _r, ...reservation } = claimRef ?? {};
    // A reservation that the user made stays, without the uid.
    await clients.volumes.update({
      ...volume,
      metadata: { ...volume.metadata, annotations },
      spec: byUs === undefined ? { ...spec, claimRef: reservation } : spec,
    });
  }

  async function release(volume: core.PersistentVolume, by: 'retain' | 'delete' | 'recycle' | 'others'): Promise<void> {
    const phase = volume.status.phase;
    const released = phase === 'Released' || phase === 'Failed' ? volume : await setPhase(volume, 'Released');
    if (by === 'recycle') {
      const message = 'no volume plugin matched';
      recorder.event(volume, 'Warning', 'VolumeRecycleFailed', message);
      await setPhase(released, 'Failed', message);
    }
    if (by === 'delete') await removeDirectory(released);
    if (by === 'delete' || isTerminating(volume)) await letGo(released);
    if (by === 'delete') await deleteObject(clients.volumes, volume);
  }

  async function removeDirectory(volume: core.PersistentVolume): Promise<void> {
    try {
      await ctx.volumes.remove(nameOf(volume));
    } catch (error) {
      const message = describeError(error);
      provisionerRecorder.event(volume, 'Warning', 'VolumeFailedDelete', message);
      await setPhase(volume, 'Failed', message);
      throw error;
    }
  }

  /** Gives up the provisioner's hold, which keeps a volume that the user deletes until its directory is dealt with. */
  async function letGo(volume: core.PersistentVolume): Promise<void> {
    const present = volume.metadata.finalizers ?? [];
    if (!present.includes(provisionerFinalizer)) return;
    const { uid, resourceVersion } = volume.metadata;
    const finalizers = present.filter((f) => f !== provisionerFinalizer);
    await clients.volumes.patch(refOf(volume), { metadata: { uid, resourceVersion, finalizers } });
  }

  function volumeChanged(now: core.PersistentVolume | undefined, before: core.PersistentVolume | undefined): void {
    const volume = now ?? before;
    if (!volume) return;
    volumes.add(nameOf(volume));
    for (const ref of [now?.spec.claimRef, before?.spec.claimRef]) if (ref) claims.add(claimKey(ref));
    if (now && !now.spec.claimRef) {
      for (const claim of caches.persistentVolumeClaims.list()) if (!claim.spec.volumeName) claims.add(keyOf(claim));
    }
  }

  const listeners = [
    caches.persistentVolumeClaims.onChange((key, now, before) => {
      claims.add(key);
      const name = (now ?? before)?.spec.volumeName;
      if (name) volumes.add(name);
    }),
    caches.persistentVolumes.onChange((_key, now, before) => volumeChanged(now, before)),
    caches.storageClasses.onChange(() => {
      for (const claim of caches.persistentVolumeClaims.list()) if (!claim.spec.volumeName) claims.add(keyOf(claim));
    }),
  ];
  const first = running(claims, listeners);
  return { stop: async () => void (await Promise.all([first.stop(), volumes.stop()])) };
}
