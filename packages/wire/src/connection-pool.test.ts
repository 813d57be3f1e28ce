import type { Socket } from 'node:net';
import test from 'ava';
import { ManualClock } from '@flotilla/base';
import { systemClock } from '@flotilla/host';
import { CircuitBreakers, type Host, newHost } from '@flotilla/traffic';
import type { ExecutionContext } from 'ava';
import { ConnectionPool, type PoolEvent, type PoolOptions } from './connection-pool.js';
import { dial, DialError } from './dial.js';
import { listen } from './testing.js';

interface World {
  pool: ConnectionPool;
  host: Host;
  accepted: Socket[];
  events: PoolEvent[];
  limits: CircuitBreakers;
  clock: ManualClock;
}

async function world(
  t: ExecutionContext,
  options: Partial<PoolOptions> & { max?: number; pending?: number } = {},
): Promise<World> {
  const accepted: Socket[] = [];
  const server = await listen(t, (socket) => accepted.push(socket.resume()));
  const host = newHost({ address: server.address, port: server.port });
  const limits = new CircuitBreakers({
    max_connections: options.max ?? 100,
    max_pending_requests: options.pending ?? 100,
  });
  const clock = new ManualClock();
  const events: PoolEvent[] = [];
  const pool = new ConnectionPool({
    dial: (to, signal) => dial({ address: to.address, port: to.port, timeout: 1000, signal }, systemClock),
    limits,
    clock,
    idleTimeout: 0,
    maxRequests: 0,
    on: (event) => events.push(event),
    ...options,
  });
  t.teardown(() => pool.close());
  return { pool, host, accepted, events, limits, clock };
}

const never = new AbortController().signal;

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > end) throw new Error('timed out');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test('a connection that is given back is used again, the latest first', async (t) => {
  const { pool, host, limits } = await world(t);
  t.is(pool.take(host, false), undefined);
  const [one, two] = await Promise.all([pool.acquire(host, never), pool.acquire(host, never)]);
  one.release(true);
  two.release(true);
  const again = pool.take(host, false)!;
  t.is(again.socket, two.socket);
  t.true(again.reused);
  t.is(limits.connections.active, 2);
  t.is(limits.pending.active, 0);
});

test('a careful request takes no connection that has been idle for long', async (t) => {
  const { pool, host, clock } = await world(t);
  (await pool.acquire(host, never)).release(true);
  clock.advance(1500);
  t.is(pool.take(host, true), undefined);
  (await pool.acquire(host, never)).release(true);
  t.truthy(pool.take(host, true));
  await until(() => pool.size === 1);
});

test('an idle connection that the upstream closes, or writes to, is dropped', async (t) => {
  const { pool, host, accepted, limits } = await world(t);
  (await pool.acquire(host, never)).release(true);
  await until(() => accepted.length === 1);
  accepted[0]!.end();
  await until(() => limits.connections.active === 0);
  t.is(pool.take(host, false), undefined);
  (await pool.acquire(host, never)).release(true);
  await until(() => accepted.length === 2);
  accepted[1]!.write('nobody asked');
  await until(() => limits.connections.active === 0);
  t.is(pool.size, 0);
});

test('limits: one waits for the other, and past the pending limit it overflows', async (t) => {
  const { pool, host, events } = await world(t, { max: 1, pending: 1 });
  const first = await pool.acquire(host, never);
  const second = pool.acquire(host, never);
  const overflow = await t.throwsAsync(pool.acquire(host, never), { instanceOf: DialError });
  t.is(overflow.reason, 'overflow');
  first.release(true);
  t.is((await second).socket, first.socket);
  t.true(events.includes('overflow') && events.includes('cx_overflow'));
});

test('one that waits can give up, and a broken connection makes room', async (t) => {
  const { pool, host, limits } = await world(t, { max: 1 });
  const first = await pool.acquire(host, never);
  const abort = new AbortController();
  const waiting = pool.acquire(host, abort.signal);
  abort.abort(new Error('enough'));
  await t.throwsAsync(waiting, { message: 'enough' });
  t.is(limits.pending.active, 0);
  const next = pool.acquire(host, never);
  first.release(false);
  t.not((await next).socket, first.socket);
});

test("another host's idle connection makes room under the cluster's limit", async (t) => {
  const { pool, host, limits } = await world(t, { max: 1 });
  const other = newHost({ address: host.address, port: host.port, hostname: 'other' });
  const twin: Host = { ...other, key: 'other' };
  (await pool.acquire(host, never)).release(true);
  const lease = await pool.acquire(twin, never);
  t.false(lease.reused);
  t.is(limits.connections.active, 1);
});

test('idle time, requests per connection, hosts that are gone', async (t) => {
  const idle = await world(t, { idleTimeout: 1000 });
  // The options above win over the defaults, the clock included.
  (await idle.pool.acquire(idle.host, never)).release(true);
  idle.clock.advance(1000);
  t.is(idle.pool.take(idle.host, false), undefined);
  const worn = await world(t, { maxRequests: 1 });
  (await worn.pool.acquire(worn.host, never)).release(true);
  t.is(worn.pool.take(worn.host, false), undefined);
  const gone = await world(t);
  const lease = await gone.pool.acquire(gone.host, never);
  gone.pool.prune(() => false);
  t.false(lease.socket.destroyed, 'what is in use goes on');
  lease.release(true);
  t.true(lease.socket.destroyed);
});

test('a host that refuses: the error is passed on and no place is lost', async (t) => {
  const { pool, limits, events } = await world(t);
  const dead = newHost({ address: '127.125.20.9', port: 1 });
  await t.throwsAsync(pool.acquire(dead, never), { instanceOf: DialError });
  t.deepEqual([limits.connections.active, limits.pending.active], [0, 0]);
  t.true(events.includes('connect_fail'));
});
