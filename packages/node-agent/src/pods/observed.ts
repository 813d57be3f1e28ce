/** How a run of a container ended. */
export interface Ended {
  code: number;
  /** Milliseconds since the epoch; 0 if it never began. */
  startedAt: number;
  finishedAt: number;
  reason: string;
  message?: string;
  containerID?: string;
}

/**
 * What is known of one container of a pod. Kept in the pod's state file, so that an agent that starts anew goes on
 * where the last one was.
 */
export interface ContainerRecord {
  /** `idle`: never begun, or waiting to begin again; `starting`: being begun now; `ended`: the last run is over. */
  state: 'idle' | 'starting' | 'running' | 'ended';
  /** Runs begun, the present one included; also the number of its directory. */
  runs: number;
  /** As status shows it. */
  restarts: number;
  containerID?: string;
  imageID?: string;
  /** Milliseconds since the epoch, of the present run. */
  startedAt?: number;
  /** The end of the present run, when `state` is `ended`. */
  ended?: Ended;
  /** The end of the run before. */
  previous?: Ended;
  /** Startup probe passed and postStart done (or there are none), in the present run. */
  started: boolean;
  ready: boolean;
  /** SIGTERM is out or preStop runs. */
  stopping: boolean;
  /** Ends in a row that count towards the next back-off. */
  crashes: number;
  /** Why it cannot begin: shown as the waiting state. */
  waiting?: { reason: string; message: string };
  /** Failures in a row to get it begun (image, configuration), and when to try again. */
  obstacles: number;
  retryAt?: number;
}

export function newRecord(): ContainerRecord {
  return {
    state: 'idle',
    runs: 0,
    restarts: 0,
    started: false,
    ready: false,
    stopping: false,
    crashes: 0,
    obstacles: 0,
  };
}

/** Why a pod ends other than by its containers: deleted, deadline exceeded, evicted. */
export interface Termination {
  /** When the grace is over, milliseconds since the epoch. */
  deadline: number;
  /** For the pod's status, unless it is simply deleted. */
  failure?: { reason: string; message: string };
}

/** A pod on this node, as `decide` and the status see it. */
export interface PodRecord {
  uid: string;
  namespace: string;
  name: string;
  /** Milliseconds since the epoch. */
  startTime: number;
  podIP?: string;
  hostNetwork: boolean;
  /** Address and volumes are there. */
  prepared: boolean;
  /** Why they are not. */
  obstacle?: string;
  containers: Record<string, ContainerRecord>;
  /** All init containers have passed once. */
  initialized: boolean;
  termination?: Termination;
  /** Nothing runs or will run again. */
  finished: boolean;
  /** The agent ended this pod's processes when it was stopped itself; they begin anew with the next one. */
  parked: boolean;
}
