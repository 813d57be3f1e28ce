import type * as apps from '../gen/apps-v1.js';
import type * as core from '../gen/core-v1.js';
import { formatLabelSelector } from '../selectors.js';
import { ageColumn, type Cell, column, nameColumn, nameOf, objectAge, type Printer, wide } from './columns.js';

function containerCells(spec: core.PodSpec): Cell[] {
  return [spec.containers.map((c) => c.name).join(','), spec.containers.map((c) => c.image ?? '').join(',')];
}

const templateColumns = [
  wide('Containers', 'string', 'The names of the containers in the template.'),
  wide('Images', 'string', 'The images of the containers in the template.'),
  wide('Selector', 'string', 'The labels by which pods are found.'),
];

export const deploymentPrinter: Printer = {
  columns: [
    nameColumn,
    column('Ready', 'string', 'Number of the pod with ready state'),
    column('Up-to-date', 'string', 'The number of pods of the current template.'),
    column('Available', 'string', 'The number of pods that have been ready for minReadySeconds.'),
    ageColumn,
    ...templateColumns,
  ],
  cells: (object: apps.Deployment, now): Cell[] => [
    nameOf(object),
    `${object.status?.readyReplicas ?? 0}/${object.spec.replicas ?? 0}`,
    object.status?.updatedReplicas ?? 0,
    object.status?.availableReplicas ?? 0,
    objectAge(object, now),
    ...containerCells(object.spec.template.spec),
    formatLabelSelector(object.spec.selector),
  ],
};

export const replicaSetPrinter: Printer = {
  columns: [
    nameColumn,
    column('Desired', 'integer', 'The number of pods wanted.'),
    column('Current', 'integer', 'The number of pods there are.'),
    column('Ready', 'integer', 'The number of pods that are ready.'),
    ageColumn,
    ...templateColumns,
  ],
  cells: (object: apps.ReplicaSet, now): Cell[] => [
    nameOf(object),
    object.spec.replicas ?? 0,
    object.status?.replicas ?? 0,
    object.status?.readyReplicas ?? 0,
    objectAge(object, now),
    ...containerCells(object.spec.template.spec),
    formatLabelSelector(object.spec.selector),
  ],
};
