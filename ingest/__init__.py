"""The collector: takes crash reports over HTTP, saves them durably, then queues them."""
