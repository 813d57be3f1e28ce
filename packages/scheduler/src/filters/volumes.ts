import { type core, type storage, tryQuantity } from '@flotilla/api';
import type { Cluster, Surroundings } from '../model/cluster.js';
import type { NodeInfo } from '../model/node-info.js';
import type { PodInfo } from '../model/pod-info.js';
import { matchesNodeSelector, matchesTerm } from '../model/selectors.js';
import type { Filter, NodeFilter, PodRefusal } from './filter.js';

export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node';
const noProvisioner = 'kubernetes.io/no-provisioner';
const bindCompleted = 'pv.kubernetes.io/bind-completed';

export const isClaimBound = (claim: core.PersistentVolumeClaim): boolean =>
  Boolean(claim.spec.volumeName) && claim.metadata.annotations?.[bindCompleted] !== undefined;

/** The keys of the pod's claims. */
export function claimKeysOf(pod: core.Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap((volume) => {
    const name = volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral && `${pod.metadata.name}-${volume.name}`);
    return name ? [`${pod.metadata.namespace}/${name}`] : [];
  });
}

export interface PodVolumes {
  /** Bound already: the pod must go where they are. */
  bound: core.PersistentVolumeClaim[];
  /** To be bound or provisioned where the pod goes. */
  waiting: core.PersistentVolumeClaim[];
}

/** The pod's claims sorted, or why none of the nodes will do. */
export function volumesOf(pod: core.Pod, around: Surroundings): PodVolumes | PodRefusal {
  const volumes: PodVolumes = { bound: [], waiting: [] };
  for (const key of claimKeysOf(pod)) {
    const name = key.slice(key.indexOf('/') + 1);
    const claim = around.claim(key);
    if (!claim) return { message: `persistentvolumeclaim "${name}" not found` };
    if (claim.metadata.deletionTimestamp) return { message: `persistentvolumeclaim "${name}" is being deleted` };
    if (claim.status.phase === 'Lost')
      return {
        message: `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName ?? ''}"`,
      };
    if (isClaimBound(claim)) volumes.bound.push(claim);
    else if (claim.spec.volumeName || !waitsForConsumer(claim, around)) {
      return { message: 'pod has unbound immediate PersistentVolumeClaims' };
    } else volumes.waiting.push(claim);
  }
  return volumes;
}

function waitsForConsumer(claim: core.PersistentVolumeClaim, around: Surroundings): boolean {
  return around.storageClass(claim.spec.storageClassName ?? '')?.volumeBindingMode === 'WaitForFirstConsumer';
}

/** What has to be done for a pod's waiting claims on a node: reserve a volume, or provision one there. */
export interface ClaimPlan {
  claim: core.PersistentVolumeClaim;
  reserve?: core.PersistentVolume;
}

/** The plan for one node, or undefined if a claim can be served there in no way. */
export function planClaims(
  waiting: readonly core.PersistentVolumeClaim[],
  node: core.Node,
  around: Surroundings,
): ClaimPlan[] | undefined {
  const plans: ClaimPlan[] = [];
  const taken = new Set<string>();
  for (const claim of waiting) {
    const chosen = claim.metadata.annotations?.[selectedNodeAnnotation];
    if (chosen !== undefined && chosen !== node.metadata.name) return undefined;
    const reserve = chosen === undefined ? findVolume(claim, node, around, taken) : undefined;
    const storageClass = around.storageClass(claim.spec.storageClassName ?? '');
    if (reserve) {
      taken.add(reserve.metadata.name ?? '');
      plans.push({ claim, reserve });
    } else if (storageClass && canProvision(storageClass, node)) plans.push({ claim });
    else return undefined;
  }
  return plans;
}

function canProvision(storageClass: storage.StorageClass, node: core.Node): boolean {
  if (storageClass.provisioner === noProvisioner) return false;
  const topologies = storageClass.allowedTopologies ?? [];
  if (topologies.length === 0) return true;
  return topologies.some((term) =>
    matchesTerm(
      {
        matchExpressions: (term.matchLabelExpressions ?? []).map(({ key, values }) => ({
          key,
          operator: 'In',
          values,
        })),
      },
      node,
    ),
  );
}

/** The smallest free volume that the claim can use from this node. */
function findVolume(
  claim: core.PersistentVolumeClaim,
  node: core.Node,
  around: Surroundings,
  taken: ReadonlySet<string>,
): core.PersistentVolume | undefined {
  const size = (text: string | undefined): number => tryQuantity(text)?.value() ?? 0;
  const wanted = size(claim.spec.resources.requests?.['storage']);
  return around
    .volumes()
    .filter((volume) => {
      const { spec } = volume;
      const ref = spec.claimRef;
      const ours = ref?.name === claim.metadata.name && ref?.namespace === claim.metadata.namespace;
      return (
        !taken.has(volume.metadata.name ?? '') &&
        volume.metadata.deletionTimestamp === undefined &&
        (ref === undefined || (ours && (ref.uid ?? claim.metadata.uid) === claim.metadata.uid)) &&
        (volume.status.phase === 'Available' || ours) &&
        (spec.storageClassName ?? '') === (claim.spec.storageClassName ?? '') &&
        (spec.volumeMode ?? 'Filesystem') === (claim.spec.volumeMode ?? 'Filesystem') &&
        (claim.spec.accessModes ?? []).every((mode) => spec.accessModes?.includes(mode)) &&
        size(spec.capacity?.['storage']) >= wanted &&
        isReachable(volume, node)
      );
    })
    .sort((a, b) => size(a.spec.capacity?.['storage']) - size(b.spec.capacity?.['storage']))[0];
}

const isReachable = (volume: core.PersistentVolume, node: core.Node): boolean => {
  const required = volume.spec.nodeAffinity?.required;
  return required === undefined || matchesNodeSelector(required, node);
};

export const volumeBinding: Filter = {
  name: 'VolumeBinding',
  hints: ['node', 'volume'],
  prepare({ pod }: PodInfo, cluster: Cluster): NodeFilter | PodRefusal | undefined {
    if (claimKeysOf(pod).length === 0) return undefined;
    const around = cluster.surroundings;
    const volumes = volumesOf(pod, around);
    if ('message' in volumes) return volumes;
    return ({ node }: NodeInfo) => {
      if (!node) return undefined;
      const present = volumes.bound.map((claim) => around.volume(claim.spec.volumeName ?? ''));
      if (present.includes(undefined)) {
        return {
          reasons: ['node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'],
          helpless: true,
        };
      }
      if (!present.every((volume) => volume && isReachable(volume, node))) {
        return { reasons: ["node(s) didn't match PersistentVolume's node affinity"], helpless: true };
      }
      if (planClaims(volumes.waiting, node, around)) return undefined;
      return { reasons: ["node(s) didn't find available persistent volumes to bind"], helpless: true };
    };
  },
};

/** A claim with ReadWriteOncePod belongs to one pod of the whole cluster. */
export const volumeRestrictions: Filter = {
  name: 'VolumeRestrictions',
  hints: ['pod-removed', 'volume'],
  prepare({ pod }: PodInfo, cluster: Cluster): NodeFilter | undefined {
    const exclusive = claimKeysOf(pod).filter((key) =>
      cluster.surroundings.claim(key)?.spec.accessModes?.includes('ReadWriteOncePod'),
    );
    if (exclusive.length === 0) return undefined;
    const users = cluster
      .nodes()
      .some((node) => [...node.pods.values()].some((p) => claimKeysOf(p.pod).some((key) => exclusive.includes(key))));
    if (!users) return undefined;
    const reason = 'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode';
    return () => ({ reasons: [reason] });
  },
};
