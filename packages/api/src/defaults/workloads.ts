import type * as apps from '../gen/apps-v1.js';
import { setPodSpecDefaults } from './pod.js';

export function setDeploymentDefaults(deployment: apps.Deployment): void {
  const { spec } = deployment;
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ||= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
    spec.strategy.rollingUpdate.maxSurge ??= '25%';
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  setPodSpecDefaults(spec.template.spec);
}

export function setReplicaSetDefaults(replicaSet: apps.ReplicaSet): void {
  replicaSet.spec.replicas ??= 1;
  setPodSpecDefaults(replicaSet.spec.template.spec);
}
