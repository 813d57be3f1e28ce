export { FixtureFailed, type NatsFixture, type NatsFixtureOptions, type NatsUser, startNats } from './nats.js';
