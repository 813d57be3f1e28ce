import { readFileSync } from 'node:fs';
import { arch, availableParallelism, release, totalmem, type as osType } from 'node:os';
import { type core, formatTime } from '@flotilla/api';
import type { AgentConfig } from '@flotilla/host';

/** What Flotilla says it is; see docs on versions. */
export const kubeletVersion = 'v1.36.0+flotilla';
export const maxPods = 110;

/** The machine as a node may use it. */
export interface Machine {
  cpus: number;
  memoryBytes: number;
  /** Of the file system that holds the pods. */
  diskBytes: number;
  kernel: string;
  osImage: string;
  /** `linux`, `darwin`. */
  os: string;
  /** As Go names it: `amd64`, `arm64`. */
  arch: string;
  machineID: string;
  bootID: string;
}

export function describeMachine(diskBytes: number): Machine {
  const architectures: Record<string, string> = { x64: 'amd64', ia32: '386' };
  return {
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    diskBytes,
    kernel: release(),
    osImage: /^PRETTY_NAME="?(.*?)"?$/m.exec(read('/etc/os-release'))?.[1] ?? osType(),
    os: process.platform,
    arch: architectures[arch()] ?? arch(),
    machineID: read('/etc/machine-id').trim(),
    bootID: read('/proc/sys/kernel/random/boot_id').trim(),
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The Node object to be created. `hostname`: of the machine. */
export function nodeObject(config: AgentConfig, machine: Machine): core.Node {
  const system = { 'kubernetes.io/os': machine.os, 'kubernetes.io/arch': machine.arch };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: config.node,
      labels: {
        'beta.kubernetes.io/os': machine.os,
        'beta.kubernetes.io/arch': machine.arch,
        ...system,
        'kubernetes.io/hostname': config.node,
        ...config.labels,
      },
    },
    spec: {
      podCIDR: config.podCIDR,
      podCIDRs: [config.podCIDR],
      providerID: `flotilla://${config.cluster}/${config.node}`,
      ...(config.taints?.length
        ? { taints: config.taints.map((taint) => ({ ...taint, effect: taint.effect as core.TaintEffect })) }
        : {}),
    },
    status: { daemonEndpoints: { kubeletEndpoint: { Port: 0 } }, nodeInfo: nodeInfo(machine) },
  };
}

function nodeInfo(machine: Machine): core.NodeSystemInfo {
  return {
    machineID: machine.machineID,
    systemUUID: machine.machineID,
    bootID: machine.bootID,
    kernelVersion: machine.kernel,
    osImage: machine.osImage,
    containerRuntimeVersion: `flotilla://${kubeletVersion.slice(1).split('+')[0]}`,
    kubeletVersion,
    kubeProxyVersion: kubeletVersion,
    operatingSystem: machine.os,
    architecture: machine.arch,
  };
}

/** Ready and without pressure: a node that can say so is. Transition times stay while nothing changes. */
export function nodeStatus(
  config: AgentConfig,
  machine: Machine,
  before: core.NodeStatus | undefined,
  now: number,
): core.NodeStatus {
  const resources = {
    cpu: String(machine.cpus),
    memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`,
    'ephemeral-storage': `${Math.floor(machine.diskBytes / 1024)}Ki`,
    pods: String(maxPods),
  };
  return {
    capacity: resources,
    allocatable: resources,
    addresses: [
      { type: 'InternalIP', address: config.nodeIP },
      { type: 'Hostname', address: config.node },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
    nodeInfo: nodeInfo(machine),
    conditions: conditions(before?.conditions ?? [], now),
  };
}

function conditions(before: readonly core.NodeCondition[], now: number): core.NodeCondition[] {
  const said: [core.NodeConditionType, core.ConditionStatus, string, string][] = [
    ['MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    ['DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    ['PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
    ['Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'],
  ];
  return said.map(([type, status, reason, message]) => {
    const known = before.find((condition) => condition.type === type);
    const since = known?.status === status ? known.lastTransitionTime : undefined;
    return {
      type,
      status,
      lastHeartbeatTime: formatTime(now),
      lastTransitionTime: since ?? formatTime(now),
      reason,
      message,
    };
  });
}
