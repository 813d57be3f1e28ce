import type * as coordination from '../gen/coordination-v1.js';
import type * as core from '../gen/core-v1.js';
import { ageColumn, type Cell, column, nameColumn, nameOf, none, objectAge, type Printer, wide } from './columns.js';

function nodeStatus(node: core.Node): string {
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (node.spec?.unschedulable) words.push('SchedulingDisabled');
  return words.join(',');
}

const rolePrefix = 'node-role.kubernetes.io/';

function nodeRoles(node: core.Node): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) roles.add(key.slice(rolePrefix.length));
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value);
  }
  return [...roles].sort().join(',') || none;
}

function nodeAddress(node: core.Node, type: string): string {
  return node.status?.addresses?.find((a) => a.type === type)?.address ?? none;
}

export const nodePrinter: Printer = {
  columns: [
    nameColumn,
    column('Status', 'string', 'The status of the node'),
    column('Roles', 'string', 'The roles of the node'),
    ageColumn,
    column('Version', 'string', 'The version of the node agent.'),
    wide('Internal-IP', 'string', 'The address of the node inside the cluster.'),
    wide('External-IP', 'string', 'The address of the node outside the cluster.'),
    wide('OS-Image', 'string', 'The operating system of the node.'),
    wide('Kernel-Version', 'string', 'The kernel of the node.'),
    wide('Container-Runtime', 'string', 'What runs the containers of the node.'),
  ],
  cells: (node: core.Node, now): Cell[] => [
    nameOf(node),
    nodeStatus(node),
    nodeRoles(node),
    objectAge(node, now),
    node.status?.nodeInfo?.kubeletVersion ?? '',
    nodeAddress(node, 'InternalIP'),
    nodeAddress(node, 'ExternalIP'),
    node.status?.nodeInfo?.osImage || '<unknown>',
    node.status?.nodeInfo?.kernelVersion || '<unknown>',
    node.status?.nodeInfo?.containerRuntimeVersion || '<unknown>',
  ],
};

export const namespacePrinter: Printer = {
  columns: [nameColumn, column('Status', 'string', 'The status of the namespace'), ageColumn],
  cells: (namespace: core.Namespace, now): Cell[] => [
    nameOf(namespace),
    namespace.status?.phase ?? '',
    objectAge(namespace, now),
  ],
};

const size = (map: object | undefined): number => Object.keys(map ?? {}).length;

export const configMapPrinter: Printer = {
  columns: [nameColumn, column('Data', 'string', 'The number of keys.'), ageColumn],
  cells: (map: core.ConfigMap, now): Cell[] => [
    nameOf(map),
    size(map.data) + size(map.binaryData),
    objectAge(map, now),
  ],
};

export const secretPrinter: Printer = {
  columns: [
    nameColumn,
    column('Type', 'string', 'What the secret is for.'),
    column('Data', 'string', 'The number of keys.'),
    ageColumn,
  ],
  cells: (secret: core.Secret, now): Cell[] => [
    nameOf(secret),
    secret.type ?? '',
    size(secret.data),
    objectAge(secret, now),
  ],
};

export const serviceAccountPrinter: Printer = {
  columns: [nameColumn, column('Secrets', 'string', 'The number of secrets.'), ageColumn],
  cells: (account: core.ServiceAccount, now): Cell[] => [
    nameOf(account),
    account.secrets?.length ?? 0,
    objectAge(account, now),
  ],
};

export const leasePrinter: Printer = {
  columns: [nameColumn, column('Holder', 'string', 'Who holds the lease.'), ageColumn],
  cells: (lease: coordination.Lease, now): Cell[] => [
    nameOf(lease),
    lease.spec?.holderIdentity ?? '',
    objectAge(lease, now),
  ],
};
