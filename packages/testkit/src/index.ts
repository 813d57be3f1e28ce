export type { NatsFixture, NatsFixtureOptions, NatsUser } from './nats.js';
