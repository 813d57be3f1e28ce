import type { KubeObject, ResourceInfo, StatusError } from '@flotilla/api';
import type { User } from '../request.js';

/** Reads that admission may make: from memory, in the stored version. */
export interface ClusterView {
  find<T extends KubeObject>(info: ResourceInfo<T>, namespace: string, name: string): T | undefined;
  list<T extends KubeObject>(info: ResourceInfo<T>, namespace?: string): T[];
}

/** A write that asks to be admitted. */
export interface Admission {
  operation: 'CREATE' | 'UPDATE' | 'DELETE';
  user: User;
  info: ResourceInfo;
  subresource: string;
  namespace: string;
  /** Empty when the name is still to be generated. */
  name: string;
  /** As it would be stored; absent for DELETE. A mutating step changes it by replacing it. */
  object: KubeObject | undefined;
  /** As it is stored; absent for CREATE. */
  before: KubeObject | undefined;
  warnings: string[];
  /** Run once the write has ended, either way: what a step has reserved is given back here. */
  afterwards: (() => void)[];
}

/**
 * One step of admission. As upstream: `mutate` of every step, in order; then `admit`, for what is refused whatever the
 * object looks like; then the object itself is validated (422); then `validate`, which so sees valid objects only.
 */
export interface AdmissionStep {
  readonly name: string;
  /** The object as it should be. */
  mutate?(admission: Admission, cluster: ClusterView): KubeObject | undefined;
  /** Why the write may not be, or undefined. */
  admit?(admission: Admission, cluster: ClusterView): StatusError | undefined;
  /** Why this object may not be written, or undefined: where upstream's validating webhooks are. */
  validate?(admission: Admission, cluster: ClusterView): StatusError | undefined;
}

export const isNew = (admission: Admission, info: ResourceInfo): boolean =>
  admission.operation === 'CREATE' && concerns(admission, info);

/** Whether the write is about objects of this kind themselves, not a subresource. */
export const concerns = (admission: Admission, info: ResourceInfo): boolean =>
  admission.info.resource === info.resource && admission.info.group === info.group && admission.subresource === '';
