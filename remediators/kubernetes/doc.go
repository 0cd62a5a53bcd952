// Package kubernetes holds the actions on Kubernetes workloads and the prober
// of their rollouts.
//
// An action is one PATCH of one object. It carries the resourceVersion that the
// plan saw, so the API server refuses it if anything was written since, and the
// task's id in annotations, so anybody can see afterwards which task made the
// change. It is sent once: neither client-go nor the transport repeats it.
//
// # What an observation can prove
//
// The ids of the last tasks that changed an object stand in its annotations
// [TaskAnnotation] and [EarlierAnnotation]. Most actions change the spec, and
// their resourceVersion lets them do so only to the generation that was planned, so
// they make the next one. An id that is there proves that the task was applied.
// An unchanged generation, or a single change that bears somebody else's hand,
// proves that it was not, so far: a call still on its way is refused once
// anything else is written. All else is unknown.
//
// A generation is a change of the spec; of a Deployment, also one of its
// annotations, except by its controller, which writes the revision with the
// status. So whoever annotates a Deployment makes a change, and can only turn a
// proof into an unknown.
//
// An annotation alone makes no generation of most kinds: where an action writes nothing
// else, only an object that nobody has written since proves that it did not.
//
// A resize of a pod takes no annotation with it. There the API server's own note of
// whose a value is proves that it was made, in the pod's managedFields, under a field
// manager of the task's; and an unchanged generation of the pod that it was not. The
// mark of the workload is written last, once all of its pods are done. A task that ends
// among them counts as not applied: to call it again does the rest, and each pod refuses
// to be changed twice.
//
// A Job is made, not changed: by its name, which is the task's, the API server makes one
// at most. That it is not there proves nothing, since it may have been deleted. That the
// API server tells all that happened since the plan, and it is not among that, does.
//
// Of a namespace many objects are changed, one after the other, each marked and fenced.
// Only what all of them show alike is an answer: that some were written and some were
// not is unknown.
//
// # What leaves no proof
//
// What is deleted bears no mark. An eviction and a cleanup name what they delete by its
// uid, which never comes back: made twice or late they do no more than once, so they
// are made again where nobody knows (Idempotent). A node has no generation, and its
// status is written all the time: what fences its cordon is the node as it is read right
// before, and a mark, once there, says that it was made.
//
// Use: connect to each cluster with [Connect], collect the clients in
// [Clusters], and hand these to [NewRestart], [NewMemory], [NewAnnotate], [NewScale],
// [NewScaleToZero], [NewRestore], [NewRollback],
// [NewSwitch], [NewJob] and [NewRollout]. [ClusterRole] makes the smallest role that they need.
//
// # Watching rollouts
//
// [Client.WatchRollouts] tells how far each workload's rollout is. A rollout is what
// a controller counts as one: the entry of its history (a ReplicaSet, a
// ControllerRevision) and the number that it gave it, which is a new one also where
// a template comes back. The numbers of a workload's status are taken for those of a
// rollout only once both are known to be of the same spec, since controllers write
// them one after the other.
//
// Everything here is safe for concurrent use. The tests run against a real API
// server and its controllers (package lab).
package kubernetes
