import {
  type core,
  ingressClasses,
  ingresses,
  type KubeObject,
  type networking,
  persistentVolumeClaims,
  type ResourceInfo,
  storageClasses,
} from '@flotilla/api';
import { type AdmissionStep, type ClusterView, isNew } from './step.js';

/** The default class among several: the newest, then the first by name (upstream's order for storage classes). */
function defaultClass(cluster: ClusterView, info: ResourceInfo, annotation: string): string | undefined {
  const marked = cluster.list(info).filter((c: KubeObject) => c.metadata.annotations?.[annotation] === 'true');
  const age = (c: KubeObject): string => c.metadata.creationTimestamp ?? '';
  marked.sort((a, b) =>
    age(b) > age(a) ? 1 : age(b) < age(a) ? -1 : (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1,
  );
  return marked[0]?.metadata.name;
}

/** A claim that names no class gets the default one; the empty name is a wish for no class, and stays. */
export const defaultStorageClass: AdmissionStep = {
  name: 'DefaultStorageClass',
  mutate(admission, cluster) {
    if (!isNew(admission, persistentVolumeClaims)) return admission.object;
    const claim = admission.object as core.PersistentVolumeClaim;
    const legacy = claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'];
    if (claim.spec.storageClassName !== undefined || legacy !== undefined) return claim;
    const name = defaultClass(cluster, storageClasses, 'storageclass.kubernetes.io/is-default-class');
    return name === undefined ? claim : { ...claim, spec: { ...claim.spec, storageClassName: name } };
  },
};

export const defaultIngressClass: AdmissionStep = {
  name: 'DefaultIngressClass',
  mutate(admission, cluster) {
    if (!isNew(admission, ingresses)) return admission.object;
    const ingress = admission.object as networking.Ingress;
    const legacy = ingress.metadata.annotations?.['kubernetes.io/ingress.class'];
    if (ingress.spec.ingressClassName !== undefined || legacy !== undefined) return ingress;
    const name = defaultClass(cluster, ingressClasses, 'ingressclass.kubernetes.io/is-default-class');
    return name === undefined ? ingress : { ...ingress, spec: { ...ingress.spec, ingressClassName: name } };
  },
};
