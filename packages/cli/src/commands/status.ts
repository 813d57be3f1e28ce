import { findTagged, type TaggedProcess } from '@flotilla/host';
import { readClusterFile } from '../cluster.js';
import { UserError } from '../errors.js';
import { clusterPaths } from '../home.js';
import { askSupervisor } from '../supervisor/control.js';
import type { ServiceStatus } from '../supervisor/service.js';
import { hostAddress } from '../supervisor/specs.js';

const mebibytes = (bytes: number): string => `${Math.round(bytes / (1 << 20))} MiB`;

function age(ms: number): string {
  const s = Math.floor(ms / 1000);
  if (s < 120) return `${s}s`;
  if (s < 7200) return `${Math.floor(s / 60)}m`;
  return `${Math.floor(s / 3600)}h`;
}

/** Columns as wide as their widest cell. */
export function columns(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

function serviceRow(service: ServiceStatus): string[] {
  return [
    service.name,
    service.state,
    service.pid === undefined ? '-' : String(service.pid),
    service.rss === undefined ? '-' : mebibytes(service.rss),
    String(service.restarts),
    service.age === undefined ? '-' : age(service.age),
    service.restarts > 0 && service.lastExit ? `last: ${service.lastExit}` : '',
  ];
}

function podRows(processes: TaggedProcess[]): string[][] {
  const groups = new Map<string, TaggedProcess[]>();
  for (const p of processes.filter((each) => each.pod !== undefined)) {
    const key = `${p.node}\t${p.pod}\t${p.container}`;
    groups.set(key, [...(groups.get(key) ?? []), p]);
  }
  return [...groups.values()]
    .map((group) => {
      const first = group[0]!;
      const rss = group.reduce((sum, p) => sum + p.rss, 0);
      const paused = group.every((p) => p.state === 'T');
      const pids = group.map((p) => p.pid).sort((a, b) => a - b);
      return [
        first.node ?? '',
        first.pod ?? '',
        first.container ?? '',
        paused ? 'paused' : 'running',
        pids.join(','),
        mebibytes(rss),
      ];
    })
    .sort((a, b) => a.join('\t').localeCompare(b.join('\t')));
}

export async function status(options: { name: string; json?: boolean }): Promise<void> {
  const paths = clusterPaths(options.name);
  const cluster = readClusterFile(paths);
  if (!cluster) throw new UserError(`there is no cluster "${options.name}"`, 'make one with: flotilla up');
  const reply = await askSupervisor(paths.socket, { op: 'status' });
  const processes = findTagged(paths.dir);
  if (!reply?.ok || !reply.status) {
    const left = processes.length;
    throw new UserError(
      `cluster "${options.name}" is down${left > 0 ? `, but ${left} of its processes still run` : ''}`,
      left > 0 ? 'clear them away: flotilla down   or start again: flotilla up' : 'start it: flotilla up',
    );
  }
  const { services, pid } = reply.status;
  if (options.json) {
    console.log(JSON.stringify({ cluster: cluster.name, ports: cluster.ports, pid, services, processes }, null, 2));
    return;
  }
  const total = processes.reduce((sum, p) => sum + p.rss, 0);
  console.log(
    `cluster ${cluster.name}   API https://${hostAddress}:${cluster.ports.api}   gateway http://${hostAddress}:${cluster.ports.http}\n`,
  );
  console.log(columns([['PROCESS', 'STATE', 'PID', 'MEMORY', 'RESTARTS', 'AGE', ''], ...services.map(serviceRow)]));
  const pods = podRows(processes);
  if (pods.length > 0) {
    console.log(`\n${columns([['NODE', 'POD', 'CONTAINER', 'STATE', 'PIDS', 'MEMORY'], ...pods])}`);
  }
  console.log(`\n${processes.length} processes, ${mebibytes(total)} in all`);
}
