import type { Profile } from '@flotilla/host';

/** All in milliseconds. */
export interface NodeTiming {
  /** How often the monitor looks. */
  tick: number;
  /** Without heartbeats for this long, a node is suspected. */
  silence: number;
  /** After NATS reported the agent's connection gone: time to come back. Undefined: disconnections are not looked at. */
  reconnect: number | undefined;
  /** How long a suspected node has to answer a ping. */
  ping: number;
  /** For a node's first sign of life after it was registered or after the monitor started. */
  startup: number;
  /** How long a pod of a node that is no longer registered is kept, should the node come back. */
  orphanQuarantine: number;
  /** At most one node a so long gets the NoExecute taint; undefined: no limit. */
  evictionInterval: number | undefined;
  /** Evicted pods of a dead node are removed at once, for no agent will confirm their end. */
  forceDeleteOnDeadNode: boolean;
}

const timings: Record<Profile, NodeTiming> = {
  fast: {
    tick: 100,
    silence: 1250,
    reconnect: 700,
    ping: 300,
    startup: 2500,
    orphanQuarantine: 2000,
    evictionInterval: undefined,
    forceDeleteOnDeadNode: true,
  },
  /** node-monitor-period 5 s, node-monitor-grace-period 50 s, node-startup-grace-period 1 min, eviction rate 0.1/s. */
  kubernetes: {
    tick: 5000,
    silence: 50_000,
    reconnect: undefined,
    ping: 5000,
    startup: 60_000,
    orphanQuarantine: 40_000,
    evictionInterval: 10_000,
    forceDeleteOnDeadNode: false,
  },
};

export const nodeTiming = (profile: Profile): NodeTiming => timings[profile];
