import type * as core from '../gen/core-v1.js';
import { imageTag } from '../images.js';
import { parseQuantity, Quantity, tryQuantity } from '../quantity.js';
import { setHostPathDefaults, setVolumeClaimSpecDefaults } from './storage.js';

/** Files of projected volumes are 0644 unless they say otherwise. */
const fileMode = 0o644;

/** What upstream fills into a Pod but not into a pod template (core/v1 `SetDefaults_Pod`). */
export function setPodDefaults(pod: core.Pod): void {
  const { spec } = pod;
  for (const container of everyContainer(spec)) requestWhatIsLimited(container.resources);
  requestPodWhatIsLimited(spec);
  spec.enableServiceLinks ??= true;
  if (spec.hostNetwork) {
    for (const container of everyContainer(spec)) {
      for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
    }
  }
  setPodSpecDefaults(spec);
}

function everyContainer(spec: core.PodSpec): core.Container[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
}

function requestWhatIsLimited(resources: core.ResourceRequirements | undefined): void {
  if (!resources?.limits || Object.keys(resources.limits).length === 0) return;
  resources.requests = { ...resources.limits, ...resources.requests };
}

/** Pod-level limits without a request: the sum of what the containers request, else the limit. */
function requestPodWhatIsLimited(spec: core.PodSpec): void {
  const resources = spec.resources;
  if (!resources?.limits) return;
  for (const [name, limit] of Object.entries(resources.limits)) {
    if (resources.requests?.[name] !== undefined) continue;
    let sum: Quantity | undefined;
    for (const container of spec.containers ?? []) {
      const amount = tryQuantity(container.resources?.requests?.[name]);
      if (amount) sum = sum?.add(amount) ?? amount;
    }
    resources.requests = { ...resources.requests, [name]: sum?.toString() ?? limit };
  }
}

/** For pods and pod templates alike (core/v1 `SetDefaults_PodSpec` and what the generator derives). */
export function setPodSpecDefaults(spec: core.PodSpec): void {
  spec.dnsPolicy ||= 'ClusterFirst';
  spec.restartPolicy ||= 'Always';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  spec.schedulerName ||= 'default-scheduler';
  setServiceAccountNames(spec);
  roundAmounts(spec.resources);
  roundList(spec.overhead);
  for (const volume of spec.volumes ?? []) setVolumeDefaults(volume);
  for (const container of everyContainer(spec)) setContainerDefaults(container);
  for (const container of spec.ephemeralContainers ?? []) setContainerDefaults(container);
}

/** `serviceAccount` is the old name of `serviceAccountName`; conversion shows both. */
function setServiceAccountNames(spec: core.PodSpec): void {
  const name = spec.serviceAccountName || spec.serviceAccount;
  if (name) spec.serviceAccountName = spec.serviceAccount = name;
}

function setContainerDefaults(container: core.Container): void {
  container.imagePullPolicy ||= imageTag(container.image ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  for (const port of container.ports ?? []) port.protocol ||= 'TCP';
  for (const env of container.env ?? []) setFieldRefDefaults(env.valueFrom?.fieldRef);
  roundAmounts(container.resources);
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (probe) setProbeDefaults(probe);
  }
  setHttpGetDefaults(container.lifecycle?.postStart?.httpGet);
  setHttpGetDefaults(container.lifecycle?.preStop?.httpGet);
}

function setProbeDefaults(probe: core.Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  setHttpGetDefaults(probe.httpGet);
  if (probe.grpc) probe.grpc.service ??= '';
}

function setHttpGetDefaults(action: core.HTTPGetAction | undefined): void {
  if (!action) return;
  action.path ||= '/';
  action.scheme ||= 'HTTP';
}

function setFieldRefDefaults(ref: core.ObjectFieldSelector | undefined): void {
  if (ref) ref.apiVersion ||= 'v1';
}

function roundAmounts(resources: core.ResourceRequirements | undefined): void {
  roundList(resources?.limits);
  roundList(resources?.requests);
}

/** Amounts are kept in thousandths: finer ones are rounded up (`SetDefaults_ResourceList`). */
export function roundList(list: Record<string, string> | undefined): void {
  for (const [name, text] of Object.entries(list ?? {})) {
    if (!/[un]$|\.|e/i.test(text)) continue;
    const amount = tryQuantity(text);
    if (!amount) continue;
    const rounded = Quantity.ofMilli(amount.milli(), amount.format);
    if (rounded.compare(amount) !== 0) list![name] = rounded.toString();
    else list![name] = parseQuantity(text).toString();
  }
}

export function setVolumeDefaults(volume: core.Volume): void {
  const { name: _name, ...source } = volume;
  if (Object.values(source).every((value) => value === undefined)) volume.emptyDir = {};
  if (volume.secret) volume.secret.defaultMode ??= fileMode;
  if (volume.configMap) volume.configMap.defaultMode ??= fileMode;
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= fileMode;
    for (const item of volume.downwardAPI.items ?? []) setFieldRefDefaults(item.fieldRef);
  }
  if (volume.projected) setProjectedDefaults(volume.projected);
  if (volume.ephemeral?.volumeClaimTemplate) setVolumeClaimSpecDefaults(volume.ephemeral.volumeClaimTemplate.spec);
  if (volume.image) {
    volume.image.pullPolicy ||= imageTag(volume.image.reference ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
  }
  setHostPathDefaults(volume.hostPath);
}

function setProjectedDefaults(projected: core.ProjectedVolumeSource): void {
  projected.defaultMode ??= fileMode;
  for (const source of projected.sources ?? []) {
    for (const item of source.downwardAPI?.items ?? []) setFieldRefDefaults(item.fieldRef);
    if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= 3600;
  }
}
