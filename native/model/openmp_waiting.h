#pragma once

namespace spct {

// Makes OpenMP's threads sleep soon while they wait for each other, in the whole process, unless OMP_WAIT_POLICY or
// GOMP_SPINCOUNT was set when this library was loaded. Does nothing for OpenMP libraries other than GCC's. From any
// thread, once.
//
// Threads that spin make decoding many times slower as soon as another process wants a core. libgomp reads its wait
// policy from the environment when it is loaded, and a worker thread of Node has no way to set that. But libgomp spins
// for a microsecond only while it has more threads than the machine has cores (its manual, on GOMP_SPINCOUNT), so a
// second team, which sleeps for ever, does what the policy would.
void bound_openmp_waiting();

}  // namespace spct
