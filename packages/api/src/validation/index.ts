import type { KubeObject } from '../resources.js';
import { structuralErrors } from '../schema/structural.js';
import type { MessageSchema } from '../schema/types.js';
import { coreEventRules, eventRules, leaseRules, namespaceRules, nodeRules } from './cluster.js';
import type { FieldErrors, Rules } from './common.js';
import { configMapRules, secretRules } from './config.js';
import { endpointSliceRules, endpointsRules } from './endpoints.js';
import { ingressClassRules, ingressRules } from './ingress.js';
import { validateMetadata, validateMetadataUpdate } from './metadata.js';
import { podRules } from './pods.js';
import { serviceRules } from './services.js';
import { persistentVolumeRules, storageClassRules } from './storage.js';
import { persistentVolumeClaimRules } from './volume-claims.js';
import { deploymentRules, replicaSetRules } from './workloads.js';

interface KindInfo {
  readonly group: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly schema: MessageSchema;
}

const rules: Record<string, Rules> = {
  '/Namespace': namespaceRules,
  '/Node': nodeRules,
  '/Pod': podRules,
  '/Service': serviceRules,
  '/Endpoints': endpointsRules,
  '/ConfigMap': configMapRules,
  '/Secret': secretRules,
  '/Event': coreEventRules,
  '/PersistentVolume': persistentVolumeRules,
  '/PersistentVolumeClaim': persistentVolumeClaimRules,
  'apps/Deployment': deploymentRules,
  'apps/ReplicaSet': replicaSetRules,
  'coordination.k8s.io/Lease': leaseRules,
  'discovery.k8s.io/EndpointSlice': endpointSliceRules,
  'events.k8s.io/Event': eventRules,
  'networking.k8s.io/Ingress': ingressRules,
  'networking.k8s.io/IngressClass': ingressClassRules,
  'storage.k8s.io/StorageClass': storageClassRules,
};

const noRules: Rules = {};

function rulesOf(info: KindInfo): Rules {
  const key = `${info.group}/${info.kind}`;
  return Object.hasOwn(rules, key) ? rules[key]! : noRules;
}

/** A custom resource that does not fit its schema is not looked at further. */
function content(info: KindInfo, object: KubeObject, check: () => FieldErrors): FieldErrors {
  const structural = structuralErrors(info.schema, object);
  return structural.length > 0 ? structural : check();
}

/** All mistakes in an object to be created, defaults filled in and a generated name already set. */
export function validateCreate(info: KindInfo, object: KubeObject): FieldErrors {
  const { name, create } = rulesOf(info);
  const errors = validateMetadata(object.metadata, info.namespaced, name);
  return [...errors, ...content(info, object, () => create?.(object) ?? [])];
}

/** All mistakes in an object that shall replace `old`. */
export function validateUpdate(info: KindInfo, object: KubeObject, old: KubeObject): FieldErrors {
  const { update, create } = rulesOf(info);
  const errors = validateMetadataUpdate(object.metadata, old.metadata);
  return [...errors, ...content(info, object, () => (update ? update(object, old) : (create?.(object) ?? [])))];
}

/** All mistakes in an object whose status alone shall replace that of `old`. */
export function validateStatusUpdate(info: KindInfo, object: KubeObject, old: KubeObject): FieldErrors {
  const errors = validateMetadataUpdate(object.metadata, old.metadata);
  return [...errors, ...content(info, object, () => rulesOf(info).status?.(object, old) ?? [])];
}
