import {
  type core,
  forbidden,
  type KubeObject,
  leases,
  nodes,
  pods,
  type ResourceInfo,
  type StatusError,
} from '@flotilla/api';
import type { Admission, AdmissionStep } from './step.js';

const is = (info: ResourceInfo, other: ResourceInfo): boolean =>
  info.group === other.group && info.resource === other.resource;

const nodeOf = (object: KubeObject | undefined): string => (object as core.Pod | undefined)?.spec.nodeName ?? '';

function podRefusal(admission: Admission, node: string): StatusError | undefined {
  const { info, name, operation, subresource, before, object } = admission;
  const refuse = (why: string): StatusError => forbidden(info, name, `node "${node}" ${why}`);
  if (subresource === 'status' || subresource === 'eviction' || operation === 'DELETE') {
    const verb = subresource === 'status' ? 'update pod status for' : 'delete';
    return nodeOf(before) === node ? undefined : refuse(`can only ${verb} pods with spec.nodeName set to itself`);
  }
  if (operation === 'CREATE') {
    const mirror = object?.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
    if (!mirror) return refuse('can only create mirror pods');
    return nodeOf(object) === node ? undefined : refuse('can only create pods with spec.nodeName set to itself');
  }
  return refuse('may not update pods');
}

/** Upstream's NodeRestriction: a node's identity may write about itself and its own pods only. */
export const nodeRestriction: AdmissionStep = {
  name: 'NodeRestriction',
  admit(admission) {
    const { user, info, name, object } = admission;
    if (!user.groups.includes('system:nodes') || !user.name.startsWith('system:node:')) return undefined;
    const node = user.name.slice('system:node:'.length);
    if (is(info, pods)) return podRefusal(admission, node);
    const subject = name || (object?.metadata.name ?? '');
    if (is(info, nodes) && subject !== node) {
      return forbidden(info, subject, `node "${node}" is not allowed to modify node "${subject}"`);
    }
    if (is(info, leases)) {
      if (admission.namespace !== 'kube-node-lease') {
        return forbidden(info, subject, 'can only access leases in the "kube-node-lease" system namespace');
      }
      if (subject !== node)
        return forbidden(info, subject, 'can only access node lease with the same name as the requesting node');
    }
    return undefined;
  },
};
