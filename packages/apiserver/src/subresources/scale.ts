import {
  type autoscaling,
  fieldErrors,
  FieldPath,
  formatLabelSelector,
  invalid,
  type KubeObject,
  type meta,
  schemaOf,
} from '@flotilla/api';
import type { Expected } from '../decode.js';

/** What can be scaled has these. */
type Scalable = KubeObject & {
  spec: { replicas?: number; selector?: meta.LabelSelector };
  status: { replicas?: number };
};

export const scaleExpected = (): Expected => ({
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  schema: schemaOf('autoscaling.Scale'),
  protobuf: true,
});

/** An object's scale subresource. Its resourceVersion is the object's own. */
export function scaleOf(object: KubeObject): autoscaling.Scale & { apiVersion: string; kind: string } {
  const { spec, status, metadata } = object as Scalable;
  const selector = formatLabelSelector(spec.selector);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    spec: spec.replicas ? { replicas: spec.replicas } : {},
    status: { replicas: status.replicas ?? 0, ...(selector === '<none>' ? {} : { selector }) },
  };
}

/** The object with the replicas of `scale`. Throws 422 for a negative number. */
export function scaled(object: KubeObject, scale: autoscaling.Scale): KubeObject {
  const replicas = scale.spec.replicas ?? 0;
  if (replicas < 0) {
    throw invalid({ group: 'autoscaling', kind: 'Scale' }, object.metadata.name ?? '', [
      fieldErrors.invalid(FieldPath.of('spec', 'replicas'), replicas, 'must be greater than or equal to 0'),
    ]);
  }
  const { uid, resourceVersion } = scale.metadata;
  const { uid: _uid, resourceVersion: _revision, ...metadata } = object.metadata;
  const next = {
    ...object,
    // Preconditions of the scale become those of the object.
    metadata: { ...metadata, ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) },
    spec: { ...(object as Scalable).spec, replicas },
  };
  return next;
}
