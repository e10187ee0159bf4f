//! The node proxy: informer, resolve, reconcile.
